"""Mixtures of Gaussians against what is worked out by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import AutoregressiveConfig
from mt3_synth.models import mixture

TWO = mixture.Mixture(jnp.log(jnp.array([0.25, 0.75])), jnp.array([[-1.0], [2.0]]), jnp.array([[0.5], [0.3]]))


def test_densities_integrate_to_one():
  x = jnp.linspace(-6, 8, 4001)[:, None]
  density = jnp.exp(-jax.vmap(lambda frame: mixture.negative_log_likelihood(TWO, frame))(x))
  assert_allclose(np.trapezoid(density, x[:, 0]), 1, rtol=1e-4)
  assert_allclose(density[(x[:, 0] > -2.5) & (x[:, 0] < 0.5)].sum() * (x[1, 0] - x[0, 0]), 0.25, rtol=5e-3)


def test_one_component_by_hand():
  """-ln N(x; m, s) = ((x - m) / s)^2 / 2 + ln s + ln(2 pi) / 2, summed over bands; its gradient by m is (m - x) / s^2."""
  one = mixture.Mixture(jnp.array([3.0]), jnp.array([[1.0, -2.0]]), jnp.array([[0.5, 2.0]]))
  frame = jnp.array([2.0, 0.0])
  value, grad = jax.value_and_grad(lambda means: mixture.negative_log_likelihood(one._replace(means=means), frame))(one.means)
  assert_allclose(value, 0.5 * 4 + 0.5 * 1 + math.log(0.5) + math.log(2.0) + math.log(2 * math.pi), rtol=1e-6)
  assert_allclose(grad, [[-4.0, -0.5]], rtol=1e-6)


def test_components_share_the_gradient_by_their_responsibility():
  frame = jnp.array([0.5])
  density = np.array([0.25 / 0.5 * math.exp(-0.5 * 3.0**2), 0.75 / 0.3 * math.exp(-0.5 * 5.0**2)])
  share = density / density.sum()
  grad = jax.grad(lambda means: mixture.negative_log_likelihood(TWO._replace(means=means), frame))(TWO.means)
  assert_allclose(grad[:, 0], share * np.array([-1.5 / 0.5**2, 1.5 / 0.3**2]), rtol=1e-4)


@pytest.mark.parametrize('size', [1e-3, 1.0, 1e3])
def test_deviations_keep_to_their_bounds(size):
  config = AutoregressiveConfig(output='mixture', components=3, min_sigma=0.1, max_sigma=0.9)
  output = size * jax.random.normal(jax.random.key(0), (2, mixture.width(5, config)))
  said = mixture.of_output(output, config)
  assert (said.logits.shape, said.means.shape, said.sigmas.shape) == ((2, 3), (2, 3, 5), (2, 3, 5))
  assert (said.sigmas >= 0.1).all()
  assert (said.sigmas < 0.9 + 1e-6).all()
  assert_allclose(jnp.concatenate([said.logits, said.means.reshape(2, -1)], axis=1), output[:, : 3 + 15])


def test_draws_have_the_mixtures_moments():
  keys = jax.random.split(jax.random.key(0), 20000)
  x = np.asarray(jax.vmap(lambda key: mixture.draw(key, TWO, 1.0))(keys))[:, 0]
  assert_allclose((x < 0.5).mean(), 0.25, atol=0.01)
  assert_allclose(x[x < 0.5].std(), 0.5, rtol=0.03)
  assert_allclose(x[x > 0.5].mean(), 2, atol=0.01)
  assert mixture.draw(keys[0], TWO, 0.0)[0] == 2.0
