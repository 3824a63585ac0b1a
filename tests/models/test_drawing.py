"""What is done once in a walk, and what the half of guidance without conditions is spared."""

from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import ModelConfig, SamplerConfig
from mt3_synth.models import drawing
from mt3_synth.models.conditions import Conditions, no_conditions
from mt3_synth.models.model import make_model
from tests.data.tiny import tiny_model, tiny_params


def conditions_of(config: ModelConfig, rows=2, notes=40) -> Conditions:
  rng = np.random.default_rng(0)
  network = config.network
  tokens = np.pad(rng.integers(3, 1400, (rows, notes)), [(0, 0), (0, network.note_length - notes)]).astype(np.int32)
  context = rng.uniform(-1, 1, (rows, network.context_frames, network.mel_bands)).astype(np.float32)
  return Conditions(jnp.asarray(tokens), jnp.asarray(context), jnp.ones((rows, network.context_frames)))


def test_the_half_without_conditions_is_what_the_published_system_computes(published):
  """Its encodings and masks are multiplied by zero there; here it has none."""
  arrays, model, params, conditions = published

  @jax.jit
  def both(params, z, time):
    network = model.network.bind({'params': params})
    memory = network.encode(conditions).beside(network.encode(conditions.nothing()))
    film = network.film(time)
    return network.decode(jnp.concatenate([z, z]), jnp.concatenate([film, film]), memory)

  told, untold = np.split(both(params, arrays['z_t'], arrays['time']), 2)
  assert_allclose(told, arrays['out'], atol=2e-4)
  assert_allclose(untold, arrays['out_uncond'], atol=2e-4)


@pytest.mark.parametrize('conditioning', ['tokens', 'aligned'])
def test_guidance_needs_no_second_encoding(conditioning):
  """Counted in the compiled program: encoders, keys and values are computed once, for the conditions alone."""
  config = tiny_model(conditioning)
  model, params = make_model(config), tiny_params(conditioning)
  conditions = jax.tree.map(lambda x: jnp.ones((8, *x.shape[1:]), x.dtype), no_conditions(config.network))
  if conditioning == 'aligned':
    conditions = conditions._replace(notes=jax.tree.map(lambda x: jnp.repeat(x, 32, axis=1), conditions.notes))

  def operations(guidance):
    begin = jax.jit(
      lambda params: drawing.begin(bound(model, params), config, conditions, jax.random.key(0), SamplerConfig('ddim', 2, guidance))
    )
    costs: Any = begin.lower(params).compile().cost_analysis()
    return costs['flops']

  assert operations(2.0) < 1.1 * operations(1.0)


def bound(model, params):
  return model.network.bind({'params': params})


class Deaf(NamedTuple):
  """A memory of nothing."""

  def beside(self, nothing):
    return self


def spied(rows: list) -> SimpleNamespace:
  """A network that says nothing, and keeps of how many rows."""

  def decode(z, film, memory, twice=False):
    said = jnp.zeros((2 * len(z) if twice else len(z), *z.shape[1:]))
    jax.debug.callback(lambda said: rows.append(len(said)), said, ordered=True)
    return said

  return SimpleNamespace(config=tiny_model().network, encode=lambda conditions: Deaf(), film=lambda time: time[:, None], decode=decode)


@pytest.mark.parametrize(
  ('interval', 'expected'),
  [
    (None, [4, 4, 4, 4, 4]),
    ((-4.5, 4.5), [2, 4, 4, 4, 2]),
    ((-4.4, 4.4), [2, 2, 4, 2, 2]),
    ((-99.0, -9.0), [4, 2, 2, 2, 2]),
    ((10.0, 11.0), [2, 2, 2, 2, 2]),
  ],
)
def test_outside_its_interval_guidance_computes_no_second_half(interval, expected):
  config, rows = tiny_model(), []
  sampler = SamplerConfig('ddim', 5, 3.0, spacing='logsnr', guidance_interval=interval)  # at -9, -4.5, 0, 4.5 and 9
  drawing.draw(spied(rows), config, conditions_of(config), jax.random.key(0), sampler)
  jax.effects_barrier()
  assert rows == expected


def test_an_interval_of_all_is_guidance_and_one_of_none_is_none():
  config = tiny_model()
  model, params, conditions = make_model(config), tiny_params(), conditions_of(config)

  def draw(guidance, interval):
    sampler = SamplerConfig('ddim', 3, guidance, spacing='logsnr', guidance_interval=interval)
    return jax.jit(lambda params: model.predict(params, conditions, jax.random.key(0), sampler))(params)

  assert_allclose(draw(3.0, (-20.0, 20.0)), draw(3.0, None), atol=1e-5)
  assert_allclose(draw(3.0, (15.0, 20.0)), draw(1.0, None), atol=1e-5)
  assert not np.allclose(draw(3.0, None), draw(1.0, None), atol=1e-3)


def test_rows_cut_to_what_they_hold_give_the_same():
  config = tiny_model()
  model, params, conditions = make_model(config), tiny_params(), conditions_of(config)
  draw = jax.jit(lambda params, conditions: model.predict(params, conditions, jax.random.key(0), SamplerConfig('ddim', 2, 2.0)))
  assert_allclose(draw(params, conditions._replace(notes=conditions.notes[:, :40])), draw(params, conditions), atol=1e-5)


@pytest.mark.parametrize('every', [1, 3, 9])
def test_a_walk_in_parts_ends_where_the_whole_walk_does(every):
  config = tiny_model()
  model, params, conditions = make_model(config), tiny_params(), conditions_of(config)
  sampler, key = SamplerConfig('dpmpp_2m', 7, 2.0), jax.random.key(0)
  steps, mels = zip(*drawing.draw_in_parts(model, params, conditions, key, sampler, every), strict=True)
  assert list(steps) == [*range(every, 7, every), 7]
  assert_allclose(mels[-1], jax.jit(lambda params: model.predict(params, conditions, key, sampler))(params), atol=1e-5)


def test_activations_are_of_the_samplers_type():
  config = tiny_model()
  model, params, conditions = make_model(config), tiny_params(), conditions_of(config)
  begin = lambda dtype: jax.eval_shape(
    lambda params: drawing.begin(bound(model, params), config, conditions, jax.random.key(0), SamplerConfig('ddim', 2, dtype=dtype)), params
  )
  types = [{leaf.dtype.name for leaf in jax.tree.leaves(begin(dtype).memory.keys_values)} for dtype in (None, 'float32', 'bfloat16')]
  assert types == [{'float32'}, {'float32'}, {'bfloat16'}]
