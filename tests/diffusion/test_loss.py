"""The loss against laws and against the published system's values."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import DiffusionConfig
from mt3_synth.diffusion import loss, process


def test_a_perfect_prediction_costs_nothing():
  x0, eps = jnp.full((1, 2, 3), 0.5), jnp.full((1, 2, 3), -1.0)
  for on in ('eps', 'x0', 'v', 'x0_and_eps', 'max_x0_eps'):
    error = loss.denoising_error(eps, x0, eps, jnp.array([0.7]), DiffusionConfig(output='eps', loss_on=on))
    assert_allclose(error, 0, atol=1e-6)


def test_sum_and_maximum_are_of_the_two_errors():
  x0, eps = jnp.full((1, 1, 2), 0.5), jnp.array([[[1.0, -1.0]]])
  error = lambda on: loss.denoising_error(0.3 * eps, x0, eps, jnp.array([1.0]), DiffusionConfig(output='eps', loss_on=on))
  assert_allclose(error('x0_and_eps'), error('x0') + error('eps'))
  assert_allclose(error('max_x0_eps'), jnp.maximum(error('x0'), error('eps')))
  assert (error('x0') != error('eps')).all()


def test_masked_frames_do_not_count():
  error = jnp.array([[[1.0, 3.0], [100.0, 100.0]]])
  assert loss.masked_mean(error, jnp.array([[1, 0]])) == 2.0
  assert loss.masked_mean(error, jnp.array([[0, 0]])) == 0.0


@pytest.mark.parametrize(
  ('on', 'norm', 'output'), list(itertools.product(('eps', 'x0', 'x0_and_eps', 'max_x0_eps'), ('l1', 'l2'), ('eps', 'x0', 'v')))
)
def test_elements_equal_the_published(golden, on, norm, output):
  g = np.load(golden / 'loss_context_main.npz')
  logsnr = process.cosine_logsnr(g['time'])
  config = DiffusionConfig(output=output, loss_on=on, loss=norm)
  got = loss.denoising_error(g['model_output'], g['x0'], g['eps'], logsnr, config)
  assert_allclose(got, g[f'loss_elem_{on}_{norm}_{output}'], atol=1e-6, rtol=2e-5)
