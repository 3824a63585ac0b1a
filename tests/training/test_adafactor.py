"""Adafactor: three steps by hand, and T5X's where it is there."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose

from mt3_synth.training.adafactor import adafactor, factoring

RATE = 0.1
SHAPES = {  # name -> shape, axes
  'kernel': ((128, 160), ('embed', 'mlp')),
  'tall': ((160, 128), ('embed', 'mlp')),
  'narrow': ((160, 8), ('embed', 'joined_kv')),
  'scale': ((160,), ('embed',)),
  'stacked': ((3, 8, 6), ('layers', 'embed', 'mlp')),
  'stacked_scale': ((3, 8), ('layers', 'embed')),
  'heads': ((8, 2, 4), ('embed', 'heads', 'kv')),
  'small': ((4, 3), ('vocab', 'embed')),
}
RNG = np.random.default_rng(0)
PARAMS = {name: RNG.normal(scale=0.1 if name != 'small' else 1e-5, size=shape).astype(np.float32) for name, (shape, _) in SHAPES.items()}
GRADS = [{name: RNG.normal(size=shape).astype(np.float32) * 10.0**n for name, (shape, _) in SHAPES.items()} for n in range(3)]


def boxed():
  return {name: nn.LogicallyPartitioned(jnp.asarray(x), SHAPES[name][1]) for name, x in PARAMS.items()}


def walk(tx, initial) -> list[Any]:
  """The parameters after each step."""
  state, after = nn.meta.unbox(tx.init(initial)), []
  params: Any = nn.meta.unbox(initial)
  update = jax.jit(tx.update)
  for grads in GRADS:
    updates, state = update({name: grads[name] for name in params}, state, params)
    params = optax.apply_updates(params, updates)
    after.append(params)
  return after


def by_hand(name):
  """The paper's algorithms 4 and 5, of one matrix at a time, with loops for the averages."""
  rows, columns = {
    'kernel': ((0,), (1,)),
    'tall': ((1,), (0,)),  # the longer side is the columns, whatever the names say
    'stacked': ((0,), (1,)),
    'heads': ((0,), (1, 2)),
  }.get(name, ((), ()))
  layers = range(3) if name.startswith('stacked') else [...]
  after = []
  values = {layer: np.float64(PARAMS[name][layer]) for layer in layers}
  moments = {layer: (0.0, 0.0) for layer in layers}
  for step, grads in enumerate(GRADS, 1):
    decay = 1 - step**-0.8
    for layer in layers:
      x, g = values[layer], np.float64(grads[name][layer])
      square, (r, c) = g**2 + 1e-30, moments[layer]
      if rows:
        r, c = (decay * old + (1 - decay) * square.mean(axis, keepdims=True) for old, axis in ((r, columns), (c, rows)))
        u = g / np.sqrt(r * c / r.mean())
      else:
        r = decay * r + (1 - decay) * square
        u = g / np.sqrt(r)
      u /= max(1, np.sqrt((u**2).mean()))
      values[layer], moments[layer] = x - RATE * max(1e-3, np.sqrt((x**2).mean())) * u, (r, c)
    after.append(values[...] if layers == [...] else np.stack([values[layer] for layer in layers]))
  return after


def test_three_steps_are_those_by_hand():
  for step, params in enumerate(walk(adafactor(lambda _: RATE), boxed())):
    for name in SHAPES:
      assert_allclose(params[name], by_hand(name)[step], atol=1e-5 * np.abs(PARAMS[name]).max(), err_msg=f'{name}, step {step}')


def test_a_matrix_is_factored_the_same_without_names():
  some = ('tall', 'narrow')
  named, plain = (walk(adafactor(lambda _: RATE), {name: params[name] for name in some}) for params in (boxed(), PARAMS))
  for name in some:
    assert_allclose(plain[-1][name], named[-1][name], rtol=1e-6)


def test_the_rate_is_that_of_the_step():
  tx = adafactor(lambda step: jnp.where(step == 1, 0.0, RATE))
  first, second, third = walk(tx, {'kernel': PARAMS['kernel']})
  assert_allclose(second['kernel'], first['kernel'])
  assert not np.allclose(third['kernel'], second['kernel'])


@pytest.mark.parametrize(
  ('shape', 'names', 'expected'),
  [
    ((512, 1024), ('embed', 'mlp'), ((0,), (1,), (0, 1))),
    ((1024, 512), ('mlp', 'embed'), ((1,), (0,), (0, 1))),
    ((127, 1024), ('embed', 'mlp'), ((), (), (0, 1))),
    ((512,), ('embed',), ((), (), (0,))),
    ((), None, ((), (), ())),
    ((12, 8, 6), ('layers', 'embed', 'mlp'), ((1,), (2,), (1, 2))),
    ((12, 8), ('layers', 'embed'), ((), (), (1,))),
    ((8, 2, 4), ('embed', 'heads', 'kv'), ((0,), (1, 2), (0, 1, 2))),
    ((8, 4, 5), (None, None, None), ((), (), (0, 1, 2))),
    ((8, 4, 5), None, ((), (), (0, 1, 2))),
  ],
)
def test_what_is_factored(shape, names, expected):
  assert factoring(shape, names) == expected


def test_a_matrix_with_an_axis_of_no_rule_is_refused():
  with pytest.raises(ValueError, match="'width'.*no rule"):
    factoring((8, 4, 5), ('embed', 'mlp', 'width'))


def test_the_moments_have_the_axes_of_their_parameter():
  params: Any = boxed()
  state: Any = adafactor(lambda _: RATE).init(params)
  moments = state.moments
  kernel, scale = moments['kernel'], moments['scale']
  assert (kernel.row.names, kernel.row.value.shape) == (('embed', None), (128, 1))
  assert (kernel.column.names, kernel.column.value.shape) == ((None, 'mlp'), (1, 160))
  assert kernel.full is None
  assert (scale.full.names, scale.full.value.shape) == (('embed',), (160,))
  assert jax.tree.leaves(nn.meta.unbox(moments))[0].dtype == jnp.float32


def test_three_steps_are_those_of_t5x():
  t5x = pytest.importorskip('t5x.adafactor', reason='T5X is not importable; docs/t5x.md says how to install it', exc_type=ImportError)
  theirs = t5x.Adafactor(RATE, decay_rate=0.8, step_offset=0, logical_factor_rules=t5x.standard_logical_factor_rules())
  theirs.set_param_axes({name: jax.sharding.PartitionSpec(*axes) for name, (_, axes) in SHAPES.items()})
  params, state = PARAMS, theirs.init_state(PARAMS)
  for grads, ours in zip(GRADS, walk(adafactor(lambda _: RATE), boxed()), strict=True):
    params, state = theirs.apply_gradient(theirs.hyper_params, params, state, grads)
    for name in SHAPES:
      assert_allclose(ours[name], params[name], atol=1e-5 * np.abs(PARAMS[name]).max(), err_msg=name)
