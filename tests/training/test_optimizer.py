from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.training.config import OptimizerConfig
from mt3_synth.training.optimizer import learning_rate, make_optimizer

PARAMS = {'layer': {'kernel': jnp.full((4, 3), 2.0), 'scale': jnp.full(3, 2.0)}, 'Embed_0': {'embedding': jnp.full((5, 4), 2.0)}}
NO_GRADIENT = jax.tree.map(jnp.zeros_like, PARAMS)


def test_the_rate_warms_up_from_0_and_falls_to_0():
  rate: Any = learning_rate(OptimizerConfig(learning_rate=2.0, schedule='cosine', warmup_steps=10), 110)
  assert_allclose([rate(step) for step in (0, 5, 10, 60, 110, 200)], [0, 1, 2, 1, 0, 0], atol=1e-6)


def test_a_linear_rate_falls_to_0():
  rate: Any = learning_rate(OptimizerConfig(learning_rate=2.0, schedule='linear', warmup_steps=10), 110)
  assert_allclose([rate(step) for step in (0, 5, 10, 60, 110, 200)], [0, 1, 2, 1, 0, 0], atol=1e-6)


def test_a_rate_of_inverse_square_roots_is_as_t5x_has_it():
  """base * min(1, step / warmup) / sqrt(max(step, warmup))."""
  rate: Any = learning_rate(OptimizerConfig(learning_rate=2.0, schedule='rsqrt', warmup_steps=100), 1000)
  assert_allclose([rate(step) for step in (0, 50, 100, 400, 10000)], [0, 0.1, 0.2, 0.1, 0.02], rtol=1e-6)
  plain: Any = learning_rate(OptimizerConfig(learning_rate=2.0, schedule='rsqrt'), 1000)
  assert_allclose([plain(step) for step in (0, 1, 4)], [2, 2, 1], rtol=1e-6)


def test_a_constant_rate_stays():
  assert [learning_rate(OptimizerConfig(learning_rate=0.5), 10)(step) for step in (0, 5, 20)] == [0.5] * 3
  warm: Any = learning_rate(OptimizerConfig(learning_rate=0.5, warmup_steps=2), 10)
  assert_allclose([warm(step) for step in (0, 1, 2, 9)], [0, 0.25, 0.5, 0.5])


def updates(config, grads):
  tx = make_optimizer(config, 10)
  return tx.update(grads, tx.init(PARAMS), PARAMS)[0]


@pytest.mark.parametrize('name', ['adamw', 'adafactor'])
def test_only_kernels_decay(name):
  after: Any = optax.apply_updates(PARAMS, updates(OptimizerConfig(name, 0.5, weight_decay=0.1), NO_GRADIENT))
  assert (np.asarray(after['layer']['kernel']) < 2).all()
  assert_array_equal(after['layer']['scale'], 2)
  assert_array_equal(after['Embed_0']['embedding'], 2)


@pytest.mark.parametrize('name', ['adamw', 'adafactor'])
def test_steps_go_down_the_gradient(name):
  moves = updates(OptimizerConfig(name, 0.5), jax.tree.map(jnp.ones_like, PARAMS))
  assert all((np.asarray(move) < 0).all() for move in jax.tree.leaves(moves))


def test_a_gradient_is_clipped_as_a_whole():
  tx = make_optimizer(OptimizerConfig('adamw', 1.0, clip_norm=1.0), 10)
  state: Any = tx.init(PARAMS)
  after: Any = [tx.update(jax.tree.map(lambda x, s=size: x * s, PARAMS), state, PARAMS)[1] for size in (1e2, 1e4)]
  moments = [each.inner for each in after]
  jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-5), *moments)


def test_equal_configurations_share_an_optimiser():
  assert make_optimizer(OptimizerConfig('adamw'), 5) is make_optimizer(OptimizerConfig('adamw'), 5)
  assert make_optimizer(OptimizerConfig('adamw'), 5) is not make_optimizer(OptimizerConfig('adamw'), 6)
