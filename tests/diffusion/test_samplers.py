"""Samplers against laws and, step by step, against the published system's walk."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import SamplerConfig
from mt3_synth.diffusion import process, samplers
from mt3_synth.errors import InputError

SPREAD = 0.2


def gaussian(z, level):
  """The ideal denoiser of N(0, SPREAD^2), known in closed form."""
  signal, noise = jax.nn.sigmoid(level.logsnr), jax.nn.sigmoid(-level.logsnr)
  return jnp.sqrt(signal) * SPREAD**2 * z / (signal * SPREAD**2 + noise)


@pytest.mark.parametrize('name', ['ddpm', 'ddim', 'dpmpp_2m', 'dpmpp_2m_sde'])
def test_a_walk_recovers_the_spread_of_gaussian_data(name):
  config = SamplerConfig(name=name, steps=200, variance='small')
  x = samplers.sample(jax.random.key(0), gaussian, samplers.levels_of(config), (1, 100, 128), config)
  assert_allclose(x.std(), SPREAD, rtol=0.1 if name.endswith('2m') else 0.05)
  assert_allclose(x.mean(), 0, atol=0.01)


def distance_to_the_flow(name, steps, spacing):
  """Of a deterministic walk's end to where the exact flow carries the same noise."""
  config = SamplerConfig(name, steps, spacing=spacing)
  levels = samplers.levels_of(config)
  shape, key = (1, 16, 16), jax.random.key(0)
  noise = samplers.start(key, levels, shape, config)[0].z
  spread = jnp.sqrt(jax.nn.sigmoid(levels.logsnr) * SPREAD**2 + jax.nn.sigmoid(-levels.logsnr))
  last = jax.tree.map(lambda x: x[-1], levels)
  exact = gaussian(noise * spread[-1] / spread[0], last)
  return float(jnp.abs(samplers.sample(key, gaussian, levels, shape, config) - exact).mean())


@pytest.mark.parametrize('spacing', ['logsnr', 'power'])
def test_twice_the_steps_halve_the_first_orders_error_and_quarter_that_of_the_second(spacing):
  for name, ratio in (('ddim', 2), ('dpmpp_2m', 4)):
    assert_allclose(distance_to_the_flow(name, 40, spacing) / distance_to_the_flow(name, 80, spacing), ratio, rtol=0.2)
  for steps in (5, 20):
    assert distance_to_the_flow('dpmpp_2m', steps, spacing) < distance_to_the_flow('ddim', steps, spacing) / 2


def test_first_order_dpm_solver_is_ddim():
  """Lu et al. (2022), equation of DPM-Solver++ of order 1, in half log-SNR: z_s = sigma_s / sigma_t z - alpha_s (e^-h - 1) x0."""
  z, x0, t, s = jnp.array([0.7, -0.4, -1.0, 1.5])
  sigma = lambda logsnr: jnp.sqrt(jax.nn.sigmoid(-logsnr))
  expected = sigma(s) / sigma(t) * z - jnp.sqrt(jax.nn.sigmoid(s)) * jnp.expm1(-(s - t) / 2) * x0
  assert_allclose(samplers.ddim_step(x0, process.to_eps(x0, z, t), s), expected, rtol=1e-6)
  both = [samplers.sample(jax.random.key(0), gaussian, samplers.levels_of(c), (1, 2, 2), c) for c in map(two_steps, ('ddim', 'dpmpp_2m'))]
  assert_allclose(both[0], both[1])  # nothing came before the first step


def two_steps(name):
  return SamplerConfig(name, 2)


def test_the_second_order_looks_ahead_by_half_the_ratio_of_strides():
  """z_s of D = (1 + 1 / 2r) x0 - (1 / 2r) before, r = h_before / h (Lu et al., 2022, algorithm 2)."""
  levels = samplers.levels_at([-3.0, -1.0, 2.0])
  _, transitions, _ = samplers.start(jax.random.key(0), levels, (1, 1, 1), SamplerConfig('dpmpp_2m', 3))
  assert_allclose(transitions.ahead, [0, 0.75])
  _, transitions, _ = samplers.start(jax.random.key(0), levels, (1, 1, 1), SamplerConfig('ddim', 3))
  assert_allclose(transitions.ahead, 0)


@pytest.mark.parametrize('name', ['ddpm', 'ddim', 'dpmpp_2m', 'dpmpp_2m_sde'])
def test_a_walk_in_parts_is_the_whole_walk(name):
  config = SamplerConfig(name, 7)
  levels, key = samplers.levels_of(config), jax.random.key(0)
  state, transitions, last = samplers.start(key, levels, (2, 4, 4), config)
  for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
    state = samplers.walk(state, gaussian, jax.tree.map(lambda x, part=part: x[part], transitions), config)
  whole = samplers.sample(key, gaussian, levels, (2, 4, 4), config)
  assert_allclose(samplers.finish(state, gaussian, last), whole, atol=1e-6)


@pytest.mark.parametrize('name', ['ddpm', 'ddim'])
def test_with_a_key_for_each_row_rows_are_what_they_are_alone(name):
  config = SamplerConfig(name, 3)
  draw = lambda key, rows: samplers.sample(key, gaussian, samplers.levels_of(config), (rows, 4, 4), config)
  keys = jax.random.split(jax.random.key(0), 3)
  together = draw(keys, 3)
  for key, row in zip(keys, together, strict=True):
    assert_allclose(row, draw(key, 1)[0], atol=1e-6)


@pytest.mark.parametrize('spacing', ['time', 'logsnr', 'power'])
def test_levels_rise_and_tell_the_time_of_their_noise(spacing):
  levels = samplers.levels_of(SamplerConfig(steps=9, spacing=spacing))
  assert (np.diff(levels.logsnr) > 0).all()
  assert_allclose(process.cosine_logsnr(levels.time), levels.logsnr, rtol=1e-3, atol=1e-5)
  if spacing != 'time':
    assert_allclose(levels.logsnr[jnp.array([0, -1])], [samplers.NOISIEST, samplers.CLEANEST], rtol=1e-5)
  if spacing == 'logsnr':
    assert_allclose(np.diff(levels.logsnr), 18 / 8, rtol=1e-5)
  if spacing == 'power':
    assert_allclose(np.diff(np.exp(-0.5 * np.asarray(levels.logsnr) / 7), n=2), 0, atol=1e-6)


def test_guidance_counts_inside_its_interval_ends_included():
  config = SamplerConfig(guidance_interval=(-2.0, 3.0))
  inside = samplers.guided_at(np.array([-2.01, -2.0, 0.0, 3.0, 3.01]), config)
  assert inside.tolist() == [False, True, True, True, False]
  assert samplers.guided_at(-20.0, SamplerConfig())


def test_the_same_key_gives_the_same_walk():
  denoise = lambda z, level: jnp.tanh(z)
  draw = lambda seed: samplers.sample(jax.random.key(seed), denoise, samplers.levels_of(SamplerConfig(steps=4)), (1, 3, 2), SamplerConfig())
  assert (draw(1) == draw(1)).all()
  assert (draw(1) != draw(2)).any()


def test_one_step_is_the_prediction_from_pure_noise():
  got = samplers.sample(
    jax.random.key(0),
    lambda z, level: level.time * jnp.ones_like(z),
    samplers.levels_of(SamplerConfig(steps=1)),
    (1, 2, 2),
    SamplerConfig(),
  )
  assert_allclose(got, 1)


def test_guidance_of_one_is_none():
  three, seven = jnp.array(3.0), jnp.array(7.0)
  assert samplers.guide(three, seven, 1.0) == 3.0
  assert samplers.guide(three, seven, 2.0) == -1.0


def test_no_steps_are_refused():
  with pytest.raises(InputError, match='at least 1'):
    samplers.levels_of(SamplerConfig(steps=0))


def test_steps_equal_the_published(golden):
  g = np.load(golden / 'diffusion_maths.npz')
  assert_allclose(samplers.ddim_step(g['x0'], g['eps'], g['logsnr_s']), g['ddim_i3'], atol=1e-6)
  for variance in ('small', 'large'):
    got = samplers.ddpm_step(g['z_t'], g['x0'], g['logsnr_t'], g['logsnr_s'], g['ddpm_noise_i3'], variance)
    assert_allclose(got, g[f'ddpm_{variance}_i3'], atol=1e-6, rtol=1e-6)


def test_the_walk_equals_the_published_step_by_step(golden):
  g = np.load(golden / 'sample_context_main_ddpm.npz')
  times, logsnrs, _ = samplers.levels_of(SamplerConfig(steps=8))
  for n, i in enumerate(g['step_i']):
    assert_allclose(times[n], (i + 1) / 8)
    z = g['trace'][n]
    output = samplers.guide(g['step_model_output_cond'][n], g['step_model_output_uncond'][n], 5.0)
    got = jnp.clip(process.to_x0(output, z, logsnrs[n], 'eps'), -1, 1)
    if i > 0:
      got = samplers.ddpm_step(z, got, logsnrs[n], logsnrs[n + 1], g['step_noise'][n], 'large')
    # eps is some 25 here, rounded to 2e-6, and divided by alpha: 1e-5 is what float32 holds
    assert_allclose(got, g['trace'][n + 1], atol=1e-5, err_msg=f'step {i}')
