"""Laws of the diffusion models: their options, their parameters by name, guidance."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from numpy.testing import assert_allclose

from mt3_synth.config import DiffusionConfig, SamplerConfig
from mt3_synth.models.model import make_model
from tests.data.tiny import CONTEXT, TINY, tiny_model, tiny_variant
from tests.models.examples import BANDS, example, outputs

E = TINY.emb_dim
ATTENTION = ('key', 'out', 'query', 'value')


def names(config) -> dict[str, tuple[int, ...]]:
  shapes: Any = nn.meta.unbox(jax.eval_shape(make_model(config).init, jax.random.key(0)))
  flat: dict[Any, Any] = traverse_util.flatten_dict(shapes)
  return {'/'.join(path): x.shape for path, x in flat.items()}


def test_without_context_there_is_no_context_encoder():
  context, basic = names(tiny_variant('context')), names(tiny_variant('basic'))
  assert basic == {name: shape for name, shape in context.items() if not name.startswith('continuous_encoder/')}
  assert {name.split('/')[0] for name in basic} == {'token_encoder', 'decoder'}


def test_summed_cross_attentions_have_their_own_parameters():
  one, summed = names(tiny_model()), names(tiny_model(cross_attend_style='sum_cross_attends'))
  more = {f'decoder/layers_0/MultiHeadDotProductAttention_1/{part}/kernel': (E, E) for part in ATTENTION}
  assert summed == one | more
  assert names(tiny_variant('basic', cross_attend_style='sum_cross_attends')) == names(tiny_variant('basic'))


def test_fixed_positions_are_no_parameters():
  tables = {f'{stack}/Embed_0/embedding' for stack in ('token_encoder', 'continuous_encoder', 'decoder')}
  drawn, fixed = names(tiny_model()), names(tiny_model(position_encoding='fixed'))
  assert set(drawn) - set(fixed) == tables
  assert set(fixed) < set(drawn)


def test_nothing_encoded_is_attended_to_nowhere():
  """Aligned notes reach each frame by themselves; without context no cross-attention is left."""
  aligned = names(tiny_variant('basic', 'aligned'))
  assert not [name for name in aligned if 'MultiHeadDotProductAttention' in name or 'pre_cross_attention' in name]


def test_summed_attentions_are_the_sum_of_each_alone():
  """Where the second attention says nothing, the sum is what the first says: heard with the context masked."""
  case = example(tiny_model(cross_attend_style='sum_cross_attends'))
  deaf = case.conditions._replace(context_mask=jnp.zeros((2, CONTEXT)))
  layer = dict(case.params['decoder']['layers_0'])
  layer['MultiHeadDotProductAttention_1'] = jax.tree.map(np.zeros_like, layer['MultiHeadDotProductAttention_1'])
  muted = {**case.params, 'decoder': {**case.params['decoder'], 'layers_0': layer}}
  assert_allclose(outputs(case, deaf), outputs(case._replace(params=muted)), atol=1e-5)
  assert not np.allclose(outputs(case), outputs(case._replace(params=muted)), atol=1e-3)


@pytest.mark.parametrize(('positions', 'shifts'), [('terminal_relative', True), ('regular', False)])
def test_positions_of_the_context(positions, shifts):
  """Counted back from the last valid frame, the same frames are heard alike whatever is missing before them."""
  case = example(tiny_model(context_positions=positions, context_frames=CONTEXT))
  encoder = case.model.network.bind({'params': case.params}).continuous_encoder
  frames = jax.random.uniform(jax.random.key(3), (1, CONTEXT, BANDS))
  table = np.asarray(case.params['continuous_encoder']['Embed_0']['embedding'])
  flat = jax.tree.map(np.zeros_like, case.params['continuous_encoder'])
  flat['Embed_0'] = {'embedding': table}
  flat['encoder_norm'] = {'scale': np.ones(E, np.float32)}

  @jax.jit
  def only_positions(valid):
    return encoder.apply({'params': flat}, frames, (jnp.arange(CONTEXT) < valid)[None].astype(jnp.int32), True)[0]

  whole, half = only_positions(CONTEXT), only_positions(CONTEXT // 2)
  assert np.allclose(half[: CONTEXT // 2], whole[CONTEXT // 2 :], atol=1e-5) == shifts
  assert np.allclose(half, whole, atol=1e-5) != shifts


def test_two_predictions_at_once():
  diffusion = DiffusionConfig(output='x0_and_eps', loss_on='max_x0_eps', schedule='linear', time='discrete', time_steps=10)
  case = example(dataclasses.replace(tiny_model('aligned'), diffusion=diffusion))
  assert outputs(case).shape == (2, 16, 2 * BANDS)
  batch = {'conditions': case.conditions, 'targets': case.targets, 'targets_mask': jnp.ones((2, 16))}
  assert np.isfinite(jax.jit(lambda key: case.model.loss(case.params, batch, key)[0])(jax.random.key(0)))
  drawn = np.asarray(
    jax.jit(lambda key: case.model.predict(case.params, case.conditions, key, SamplerConfig('ddim', 3, 2.0)))(jax.random.key(0))
  )
  assert drawn.shape == (2, 16, BANDS)
  assert np.isfinite(drawn).all()


def test_guidance_of_one_equals_the_doubled_batch_of_nearly_one():
  case = example(tiny_model())
  draw = jax.jit(
    lambda weight: case.model.predict(case.params, case.conditions, jax.random.key(0), SamplerConfig('ddim', 3, weight)), static_argnums=0
  )
  assert_allclose(draw(1.0), draw(1.0 + 1e-6), atol=2e-3)
  assert not np.allclose(draw(1.0), draw(3.0), atol=2e-3)


def test_context_dropout_reaches_the_network():
  case = example(dataclasses.replace(tiny_model('aligned'), diffusion=DiffusionConfig(context_dropout=1.0)))
  batch = {'conditions': case.conditions, 'targets': case.targets, 'targets_mask': jnp.ones((2, 16))}
  loss = jax.jit(lambda b: case.model.loss(case.params, b, jax.random.key(0))[0])
  assert loss(batch) == loss(batch | {'conditions': case.conditions._replace(context=-case.conditions.context)})


def test_the_time_is_heard():
  case = example(tiny_model())
  at = jax.jit(lambda t: case.model.network.apply({'params': case.params}, case.targets, jnp.full(2, t), case.conditions))
  assert not np.allclose(at(0.1), at(0.9), atol=1e-3)


def test_dropout_is_of_training_alone():
  def losses(dropout):
    case = example(tiny_variant('basic', 'aligned', dropout=dropout))
    batch = {'conditions': case.conditions, 'targets': case.targets, 'targets_mask': jnp.ones((2, 16))}
    return case.model.loss(case.params, batch, jax.random.key(0))[0], case.model.evaluation_loss(case.params, batch, jax.random.key(0))[
      'loss'
    ]

  (plain, plain_evaluation), (noisy, noisy_evaluation) = jax.jit(lambda: (losses(0.0), losses(0.5)))()
  assert abs(plain - noisy) > 1e-3
  assert_allclose(plain_evaluation, noisy_evaluation, rtol=1e-6)
