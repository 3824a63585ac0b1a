"""The context network against the published system's values."""

import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from numpy.testing import assert_allclose


@pytest.fixture(autouse=True)
def _full_precision():
  with jax.default_matmul_precision('highest'):
    yield


def test_outputs(published):
  g, model, params, conditions = published
  output = model.network.apply({'params': params}, g['z_t'], g['time'], conditions)
  assert_allclose(output, g['out'], atol=2e-5)
  nothing = conditions.where(jnp.zeros(4, bool))
  assert_allclose(model.network.apply({'params': params}, g['z_t'], g['time'], nothing), g['out_uncond'], atol=2e-5)


def test_encodings_where_they_count(published):
  g, model, params, conditions = published
  bound = model.network.bind({'params': params})
  tokens, mask = bound.token_encoder(conditions.notes, True)
  assert_allclose(tokens[mask], g['enc_tokens'][g['enc_tokens_mask']], atol=2e-5)
  context = bound.continuous_encoder(conditions.context, conditions.context_mask, True)
  valid = conditions.context_mask > 0
  assert_allclose(context[valid], g['enc_context'][valid], atol=2e-5)


def test_parameters_and_their_axes(published, golden):
  _, model, params, _ = published
  boxed = jax.eval_shape(model.init, jax.random.key(0))
  axes = json.loads((golden / 'axes_context_main.json').read_text())
  found = {
    '/'.join(key.key for key in path if hasattr(key, 'key')) + '_axes': box.names
    for path, box in jax.tree_util.tree_leaves_with_path(boxed, is_leaf=lambda x: isinstance(x, nn.LogicallyPartitioned))
  }
  assert {name: str(tuple(names)) for name, names in found.items()} == {name: str(_parsed(names)) for name, names in axes.items()}
  assert jax.tree.map(jnp.shape, nn.meta.unbox(boxed)) == jax.tree.map(jnp.shape, params)


def _parsed(names):
  import ast

  return tuple(ast.literal_eval(names) if isinstance(names, str) else names)


def test_loss_and_gradients(published, golden):
  """The draws come from the same keys; the published loss is a sum over frames and bands."""
  g, model, params, conditions = published
  want = np.load(golden / 'loss_context_main.npz')
  batch = {'conditions': conditions, 'targets': want['x0'], 'targets_mask': g['target_mask']}
  elements = g['target_mask'].sum() * 128
  loss = lambda p, key: model.loss(p, batch, key)[0] * elements
  value, grads = jax.value_and_grad(loss)(params, jnp.asarray(want['rng_key']))
  assert_allclose(value, want['loss'], rtol=1e-5)
  assert_allclose(loss(params, jax.random.PRNGKey(int(want['drop_seed']))), want['drop_loss'], rtol=1e-5)
  for path, grad in traverse_util.flatten_dict(grads).items():
    expected = want['grad/' + '/'.join(path)]
    assert_allclose(np.asarray(grad), expected, atol=1e-4 * max(np.abs(expected).max(), 1e-6), err_msg='/'.join(path))
