"""The process against laws and against the published system's values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import DiffusionConfig
from mt3_synth.diffusion import process
from mt3_synth.errors import InputError


@pytest.fixture(scope='module')
def maths(golden):
  return np.load(golden / 'diffusion_maths.npz')


def test_signal_and_noise_are_equal_at_log_snr_zero():
  normal = process.forward(jnp.ones((1, 2, 2)), jnp.zeros(1))
  assert_allclose(normal.mean, np.sqrt(0.5), rtol=1e-6)
  assert_allclose(normal.std, np.sqrt(0.5), rtol=1e-6)


def test_the_cosine_schedule_is_symmetric_and_reaches_its_limits():
  t = jnp.array([0.0, 0.25, 0.5, 0.75, 1.0])
  logsnr = process.cosine_logsnr(t)
  assert_allclose(logsnr[2], 0, atol=1e-6)
  assert_allclose(logsnr[1], -logsnr[3], rtol=1e-5)
  assert_allclose(logsnr[0], 20, rtol=1e-5)


def test_the_linear_schedule_is_undone_by_its_time():
  t = jnp.array([0.0, 0.1, 0.5, 0.9, 1.0])
  logsnr = process.linear_logsnr(t)
  assert_allclose(process.linear_time(logsnr), t, atol=1e-5)
  assert_allclose(logsnr[0], np.log(0.9999 / 0.0001), rtol=1e-5)  # after one step of beta 1e-4
  assert_allclose(process.linear_time(jnp.array([20.0, -20.0])), [0, 1])
  assert_allclose(process.linear_logsnr(t, 0.5, 0.9, 100)[-1], -20)  # clipped


@pytest.mark.parametrize('schedule', ['cosine', 'linear'])
def test_a_model_is_told_the_time_of_its_own_schedule(schedule):
  config = DiffusionConfig(schedule=schedule, beta_start=2e-4, beta_stop=0.03, beta_steps=500)
  t = jnp.array([0.2, 0.7])
  assert_allclose(process.time_at(process.logsnr_at(t, config), config), t, atol=1e-5)


def test_times_are_uniform():
  draw = lambda **how: np.asarray(process.draw_times(jax.random.key(0), 4000, DiffusionConfig(**how)))
  continuous, discrete = draw(), draw(time='discrete', time_steps=4)
  assert 0 <= continuous.min() < 0.01 and 0.99 < continuous.max() < 1  # noqa: PT018
  values, counts = np.unique(discrete, return_counts=True)
  assert_allclose(values, [0.25, 0.5, 0.75, 1])
  assert_allclose(counts, 1000, rtol=0.1)


def test_of_two_predictions_each_counts_where_it_is_better():
  z = jnp.ones((2, 1, 3))
  output = jnp.concatenate([jnp.full((2, 1, 3), 0.3), jnp.full((2, 1, 3), -0.5)], axis=-1)
  logsnr = jnp.array([-20.0, 15.0])
  got = process.to_x0(output, z, logsnr, 'x0_and_eps')
  assert_allclose(got[0], 0.3, atol=1e-3)
  assert_allclose(got[1], process.to_x0(jnp.full((1, 1, 3), -0.5), z[:1], logsnr[1:], 'eps')[0], rtol=1e-5)


@pytest.mark.parametrize('kind', ['eps', 'x0', 'v', 'x0_and_eps'])
def test_every_parametrisation_says_the_same(kind):
  rng = np.random.default_rng(0)
  x0, eps = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
  logsnr = jnp.array([-2.0, 0.0, 3.0])
  mean, std, *_ = process.forward(x0, logsnr)
  output = {'eps': eps, 'x0': x0, 'v': process.to_v(x0, eps, logsnr), 'x0_and_eps': np.concatenate([x0, eps], axis=-1)}[kind]
  assert_allclose(process.to_x0(output, mean + std * eps, logsnr, kind), x0, atol=1e-5)


def test_a_reverse_step_of_the_true_signal_has_the_forward_marginal():
  """Averaging q(z_s | z_t, x0) over z_t gives q(z_s | x0): means agree, and variances add up (small variance)."""
  x0, s, t = jnp.full((1, 1, 1), 0.3), jnp.array([1.0]), jnp.array([-1.0])
  at_t, at_s = process.forward(x0, t), process.forward(x0, s)
  low = process.reverse(at_t.mean - at_t.std, x0, t, s, 'small')
  high = process.reverse(at_t.mean + at_t.std, x0, t, s, 'small')
  assert_allclose((low.mean + high.mean) / 2, at_s.mean, rtol=1e-5)
  assert_allclose(((high.mean - low.mean) / 2) ** 2 + low.var, at_s.var, rtol=1e-5)


def test_an_unknown_variance_is_refused():
  with pytest.raises(InputError, match='medium:f'):
    process.large_share('medium:2')


def test_schedule_and_transitions_equal_the_published(maths):
  assert_allclose(process.cosine_logsnr(maths['t']), maths['logsnr_cosine'], atol=1e-6, rtol=1e-6)
  assert_allclose(process.linear_logsnr(maths['t'], 1e-4, 0.02, 1000), maths['logsnr_linear_1e4_002_1000'], atol=1e-6, rtol=1e-6)
  assert_allclose(process.log1mexp(maths['log1mexp_x']), maths['log1mexp'], rtol=1e-6)
  forward = process.forward(maths['x0'], maths['logsnr_t'])
  for name in forward._fields:
    assert_allclose(np.broadcast_to(getattr(forward, name), (3, 5, 7)), maths[f'forward/{name}'], atol=1e-6, rtol=1e-6)
  for variance in ('small', 'large', 'medium:0.3'):
    reverse = process.reverse(maths['z_t'], maths['x0'], maths['logsnr_t'], maths['logsnr_s'], variance)
    for name in reverse._fields:
      got = np.broadcast_to(getattr(reverse, name), (3, 5, 7))
      assert_allclose(got, maths[f'reverse/{variance}/{name}'], atol=1e-6, rtol=1e-6, err_msg=f'{variance} {name}')


def test_parametrisations_equal_the_published(maths):
  z, eps, logsnr = maths['z_t'], maths['eps'], maths['logsnr_t']
  assert_allclose(process.to_eps(maths['x0'], z, logsnr), maths['eps_from_x0'], atol=1e-6, rtol=1e-6)
  assert_allclose(process.to_x0(eps, z, logsnr, 'eps'), maths['x0_from_eps'], atol=1e-6, rtol=1e-6)
  assert_allclose(process.to_x0(eps, z, logsnr, 'v'), maths['x0_from_v'], atol=1e-6, rtol=1e-6)
