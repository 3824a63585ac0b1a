"""The networks against the published system's values."""

import ast
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.diffusion import loss, process
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.layers import permuted_sinusoids, sinusoids, time_signal


@pytest.fixture(autouse=True)
def _full_precision():
  with jax.default_matmul_precision('highest'):
    yield


def test_positions_and_times(golden):
  g = np.load(golden / 'diffusion_maths.npz')
  assert_allclose(sinusoids(256, 32), g['sinusoid_256x32'], atol=1e-7)
  assert_allclose(permuted_sinusoids(jax.random.PRNGKey(0), 16, 32), g['sinusoid_perm_offset_key0_16x32'], atol=1e-7)
  assert_allclose(time_signal(g['timing_pos'] / 20000.0, 32, 20000.0), g['timing_signal_32'], atol=1e-6)


def test_outputs(published):
  g, model, params, conditions = published
  output = jax.jit(lambda conditions: model.network.apply({'params': params}, g['z_t'], g['time'], conditions))
  assert_allclose(output(conditions), g['out'], atol=2e-5)
  assert_allclose(output(conditions.where(jnp.zeros(4, bool))), g['out_uncond'], atol=2e-5)


def test_encodings_where_they_count(published):
  g, model, params, conditions = published
  bound = model.network.bind({'params': params})
  tokens, mask = jax.jit(lambda notes: bound.token_encoder(notes, True))(conditions.notes)
  assert_array_equal(mask, g['enc_tokens_mask'])
  assert_allclose(tokens[mask], g['enc_tokens'][g['enc_tokens_mask']], atol=2e-5)
  context = jax.jit(lambda context, mask: bound.continuous_encoder(context, mask, True))(conditions.context, conditions.context_mask)
  valid = g['enc_context_mask'] > 0
  assert_allclose(context[valid], g['enc_context'][valid], atol=2e-5)


@pytest.mark.parametrize('which', ['published', 'published_ar'])
def test_parameters(which, request):
  _, model, params, _ = request.getfixturevalue(which)
  shapes = nn.meta.unbox(jax.eval_shape(model.init, jax.random.key(0)))
  assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, params)


def test_axes_of_parameters(published, golden):
  boxed = jax.eval_shape(published.model.init, jax.random.key(0))
  axes = json.loads((golden / 'axes_context_main.json').read_text())
  found = {
    '/'.join(key.key for key in path if hasattr(key, 'key')) + '_axes': tuple(box.names)
    for path, box in jax.tree_util.tree_leaves_with_path(boxed, is_leaf=lambda x: isinstance(x, nn.LogicallyPartitioned))
  }
  assert found == {name: tuple(ast.literal_eval(names) if isinstance(names, str) else names) for name, names in axes.items()}


def assert_gradients(grads, want):
  flat = traverse_util.flatten_dict(grads)
  assert {'grad/' + '/'.join(path) for path in flat} == {name for name in want.files if name.startswith('grad/')}
  for path, grad in flat.items():
    expected = want['grad/' + '/'.join(path)]
    assert_allclose(np.asarray(grad), expected, atol=1e-4 * max(np.abs(expected).max(), 1e-6), err_msg='/'.join(path))


@pytest.fixture
def total(published, golden):
  """The published loss of parameters and a key: a sum over frames and bands."""
  g, model, _, conditions = published
  targets = np.load(golden / 'loss_context_main.npz')['x0']
  batch = {'conditions': conditions, 'targets': targets, 'targets_mask': g['target_mask']}
  return lambda params, key: model.loss(params, batch, key)[0] * g['target_mask'].sum() * 128


@pytest.mark.parametrize(('prefix', 'dropped'), [('', 0), ('drop_', 1)])
def test_loss_and_its_draws(published, golden, total, monkeypatch, prefix, dropped):
  """The draws come from the same keys."""
  g, _, params, _ = published
  want = np.load(golden / 'loss_context_main.npz')
  key = jax.random.PRNGKey(int(want['drop_seed'])) if prefix else jnp.asarray(want['rng_key'])
  error, where, told = loss.denoising_error, Conditions.where, {}

  def hear(output, x0, eps, logsnr, config):
    told.update(output=output, x0=x0, eps=eps, logsnr=logsnr)
    return error(output, x0, eps, logsnr, config)

  def keep(self, keep):
    told['keep'] = keep
    return where(self, keep)

  monkeypatch.setattr(loss, 'denoising_error', hear)
  monkeypatch.setattr(Conditions, 'where', keep)
  value, told = jax.jit(lambda params, key: (total(params, key), told))(params, key)
  assert_allclose(value, want[f'{prefix}loss'], rtol=1e-5)
  assert_allclose(told['eps'], want[f'{prefix}eps'], atol=1e-6)
  assert_allclose(told['logsnr'], process.cosine_logsnr(want[f'{prefix}time']), rtol=1e-5)
  mean, std, *_ = process.forward(told['x0'], told['logsnr'])
  assert_allclose(mean + std * told['eps'], want[f'{prefix}z_t'], atol=1e-6)
  assert_array_equal(told['keep'], want['drop_include' if prefix else 'include_conditioning'])
  assert (~told['keep']).sum() >= dropped
  if not prefix:
    assert_allclose(told['output'], want['model_output'], atol=2e-5)
    assert_allclose(value / g['target_mask'].sum(), want['loss_mean_per_frame'], rtol=1e-5)


def test_gradients(published, golden, total):
  want = np.load(golden / 'loss_context_main.npz')
  assert_gradients(jax.jit(jax.grad(total))(published.params, jnp.asarray(want['rng_key'])), want)


def test_the_autoregressive_network(published_ar):
  g, model, params, conditions = published_ar
  encoded, _ = jax.jit(lambda notes: model.network.bind({'params': params}).encoder(notes, True))(conditions.notes)
  assert_allclose(encoded, g['encoded'], atol=2e-5)
  output = jax.jit(lambda before: model.network.apply({'params': params}, before, conditions))
  assert_allclose(output(g['decoder_input']), g['out_teacher_forced'], atol=2e-5)


def test_the_autoregressive_loss_and_gradients(published_ar):
  """The published loss is a sum over frames of the mean over bands."""
  g, model, params, conditions = published_ar
  batch = {'conditions': conditions, 'targets': jnp.asarray(g['decoder_target']), 'targets_mask': jnp.asarray(g['target_mask'])}
  total = lambda p: model.loss(p, batch, jax.random.key(0))[0] * g['target_mask'].sum()
  value, grads = jax.jit(jax.value_and_grad(total))(params)
  assert_allclose(value, g['loss'], rtol=1e-5)
  assert_gradients(grads, g)


def test_frames_decoded_one_by_one(published_ar):
  g, model, params, conditions = published_ar
  decoded = jax.jit(lambda p: model.decode(p, conditions, jax.random.key(0)))(params)
  assert_allclose(decoded, g['decoded'], atol=2e-5)
