"""Samplers against laws and, step by step, against the published system's walk."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import SamplerConfig
from mt3_synth.diffusion import process, samplers
from mt3_synth.errors import InputError


@pytest.mark.parametrize('name', ['ddpm', 'ddim'])
def test_a_walk_recovers_the_spread_of_gaussian_data(name):
  spread = 0.2  # the ideal denoiser of N(0, spread^2) is known in closed form

  def denoise(z, level):
    signal, noise = jax.nn.sigmoid(level.logsnr), jax.nn.sigmoid(-level.logsnr)
    return jnp.sqrt(signal) * spread**2 * z / (signal * spread**2 + noise)

  config = SamplerConfig(name=name, steps=200, variance='small')
  x = samplers.sample(jax.random.key(0), denoise, samplers.levels_of(config), (1, 100, 128), config)
  assert_allclose(x.std(), spread, rtol=0.05)
  assert_allclose(x.mean(), 0, atol=0.01)


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
