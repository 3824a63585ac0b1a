"""Walks from noise to a spectrogram.  Each is one compiled scan over noise levels."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import SamplerConfig
from mt3_synth.diffusion import process
from mt3_synth.errors import InputError

Denoise = Callable[[jax.Array, Any], jax.Array]


class Levels(NamedTuple):
  """Noise levels from noisy to clean, each [S]; slices of it are what `denoise` is given.

  `features` is what the network makes of the time alone, computed once for the whole walk.
  """

  time: jax.Array
  logsnr: jax.Array
  features: Any = None


def uniform_levels(steps: int) -> Levels:
  """`steps` levels at times 1, 1 - 1/steps, ..., 1/steps of the cosine schedule, as published."""
  if steps < 1:
    raise InputError(f'{steps} sampling steps, expected at least 1')
  time = jnp.asarray(np.arange(steps, 0, -1) / np.float32(steps), jnp.float32)
  return Levels(time, process.cosine_logsnr(time))


def guide(conditional: jax.Array, unconditional: jax.Array, weight: float) -> jax.Array:
  """Classifier-free guidance (Ho & Salimans, 2022): 1 is none, larger follows the conditions more closely."""
  return weight * conditional + (1 - weight) * unconditional


def ddpm_step(z, x0, logsnr_t, logsnr_s, noise, variance: str) -> jax.Array:
  """One ancestral step (Ho et al., 2020) from level t to the cleaner level s."""
  mean, std, *_ = process.reverse(z, x0, logsnr_t, logsnr_s, variance)
  return mean + std * noise


def ddim_step(x0, eps, logsnr_s) -> jax.Array:
  """One deterministic step (Song et al., 2021) to the cleaner level s."""
  mean, std, *_ = process.forward(x0, logsnr_s)
  return mean + std * eps


def sample(key: jax.Array, denoise: Denoise, levels: Levels, shape: tuple[int, ...], config: SamplerConfig) -> jax.Array:
  """Draws x0 of `shape` by walking `levels`; predictions are clipped to [-1, 1] at each of them.

  Args:
    key: of jax.random; the same key gives the same spectrogram.
    denoise: (z, level) -> x0, `level` being one slice of `levels`.
    levels: noisy to clean.  The last prediction is the result.
    config: which walk; `steps` and `guidance` are already inside `levels` and `denoise`.
  """
  init_key, steps_key = jax.random.split(key)

  def clean(z, level):
    return jnp.clip(denoise(z, level), -1, 1)

  def step(z, inputs):
    noise_key, here, there = inputs
    x0 = clean(z, here)
    if config.name == 'ddim':
      return ddim_step(x0, process.to_eps(x0, z, here.logsnr), there.logsnr), None
    return ddpm_step(z, x0, here.logsnr, there.logsnr, jax.random.normal(noise_key, shape), config.variance), None

  count = levels.time.shape[0]
  here, there, last = (jax.tree.map(lambda x, s=s: x[s], levels) for s in (slice(None, -1), slice(1, None), -1))
  z, _ = jax.lax.scan(step, jax.random.normal(init_key, shape), (jax.random.split(steps_key, count)[1:], here, there))
  return clean(z, last)
