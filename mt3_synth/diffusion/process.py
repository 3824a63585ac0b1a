"""The continuous-time Gaussian process: noise levels, the forward and the reverse transition, what a network may predict.

A noise level is a log signal-to-noise ratio: z = sqrt(sigmoid(logsnr)) x0 + sqrt(sigmoid(-logsnr)) eps.
After Kingma et al. (Variational Diffusion Models, 2021) and Salimans & Ho (Progressive Distillation, 2022, appendix A and B).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import DiffusionConfig
from mt3_synth.errors import InputError


class Gaussian(NamedTuple):
  mean: jax.Array
  std: jax.Array
  var: jax.Array
  logvar: jax.Array


def cosine_logsnr(t: jax.Array, limit: float = 20.0) -> jax.Array:
  """Log-SNR at time t in [0, 1]: +limit (clean) at 0 down to -limit (noise) at 1 (Nichol & Dhariwal, 2021)."""
  b = math.atan(math.exp(-limit / 2))
  a = math.atan(math.exp(limit / 2)) - b
  return -2.0 * jnp.log(jnp.tan(a * t + b))


def cosine_time(logsnr: jax.Array, limit: float = 20.0) -> jax.Array:
  """The time in [0, 1] whose `cosine_logsnr` is `logsnr`."""
  b = math.atan(math.exp(-limit / 2))
  a = math.atan(math.exp(limit / 2)) - b
  return (jnp.arctan(jnp.exp(-0.5 * logsnr)) - b) / a


def linear_logsnr(t: jax.Array, start: float = 1e-4, stop: float = 0.02, steps: int = 1000, limit: float = 20.0) -> jax.Array:
  """Log-SNR at time t in [0, 1] where betas rise from `start` to `stop` over `steps` (Ho et al., 2020), interpolated between the steps."""
  return jnp.interp(t, jnp.linspace(0, 1, steps), jnp.asarray(_linear_logsnrs(start, stop, steps, limit)))


def linear_time(logsnr: jax.Array, start: float = 1e-4, stop: float = 0.02, steps: int = 1000, limit: float = 20.0) -> jax.Array:
  """The time in [0, 1] whose `linear_logsnr` is `logsnr`; the nearest end where there is none."""
  return jnp.interp(-logsnr, jnp.asarray(-_linear_logsnrs(start, stop, steps, limit)), jnp.linspace(0, 1, steps))


def _linear_logsnrs(start, stop, steps, limit) -> np.ndarray:
  signal = np.cumprod(1 - np.linspace(start, stop, steps))
  return np.clip(np.log(signal) - np.log1p(-signal), -limit, limit).astype(np.float32)


def logsnr_at(time: jax.Array, config: DiffusionConfig) -> jax.Array:
  """The noise level a model is trained on at diffusion time t in [0, 1]."""
  if config.schedule == 'cosine':
    return cosine_logsnr(time)
  return linear_logsnr(time, config.beta_start, config.beta_stop, config.beta_steps)


def time_at(logsnr: jax.Array, config: DiffusionConfig) -> jax.Array:
  """The diffusion time a model is told at a noise level."""
  if config.schedule == 'cosine':
    return cosine_time(logsnr)
  return linear_time(logsnr, config.beta_start, config.beta_stop, config.beta_steps)


def draw_times(key: jax.Array, count: int, config: DiffusionConfig) -> jax.Array:
  """Diffusion times [count] to train on: uniform in [0, 1), or one of 1/n, 2/n, ..., 1."""
  if config.time == 'continuous':
    return jax.random.uniform(key, (count,))
  return (jax.random.randint(key, (count,), 0, config.time_steps) + 1) / jnp.float32(config.time_steps)


def forward(x0: jax.Array, logsnr: jax.Array) -> Gaussian:
  """q(z | x0) at `logsnr` ([B], or a scalar)."""
  logsnr = _over(logsnr, x0)
  var = jax.nn.sigmoid(-logsnr)
  return Gaussian(x0 * jnp.sqrt(jax.nn.sigmoid(logsnr)), jnp.sqrt(var), var, jax.nn.log_sigmoid(-logsnr))


def reverse(z: jax.Array, x0: jax.Array, logsnr_t: jax.Array, logsnr_s: jax.Array, variance: str = 'large') -> Gaussian:
  """q(z_s | z_t, x0), from level t to the cleaner level s.

  Args:
    z: [B, ...] the state at level t.
    x0: [B, ...] the clean signal, or its prediction.
    logsnr_t, logsnr_s: [B] or scalars, logsnr_s > logsnr_t.
    variance: `small` (the posterior's), `large` (the forward step's) or `medium:f`, f of the way from small to large in log.
  """
  t, s = _over(logsnr_t, z), _over(logsnr_s, z)
  alpha_ratio = jnp.sqrt((1 + jnp.exp(-t)) / (1 + jnp.exp(-s)))
  shrink = jnp.exp(t - s)
  mean = shrink * alpha_ratio * z - jnp.expm1(t - s) * jnp.sqrt(jax.nn.sigmoid(s)) * x0
  log_removed = log1mexp(s - t)
  small, large = log_removed + jax.nn.log_sigmoid(-s), log_removed + jax.nn.log_sigmoid(-t)
  share = large_share(variance)
  logvar = share * large + (1 - share) * small
  return Gaussian(mean, jnp.exp(0.5 * logvar), jnp.exp(logvar), logvar)


def large_share(variance: str) -> float:
  """The f of `medium:f`; 0 for `small`, 1 for `large`.

  Raises:
    InputError: any other text.
  """
  name, _, share = variance.partition(':')
  if variance in ('small', 'large'):
    return float(variance == 'large')
  try:
    if name == 'medium' and 0 <= float(share) <= 1:
      return float(share)
  except ValueError:
    pass
  raise InputError(f'variance is {variance!r}, expected small, large or medium:f with f in [0, 1]')


def to_x0(output: jax.Array, z: jax.Array, logsnr: jax.Array, kind: str) -> jax.Array:
  """The clean signal that a network's `output` of `kind` (eps, x0, v or x0_and_eps) for `z` [B, T, D] stands for.

  Of x0_and_eps, the first D values are x0 and the others eps: the first count where there is much noise, the second where there is
  little (Salimans & Ho, 2022, section 4).
  """
  logsnr = _over(logsnr, z)
  if kind == 'x0':
    return output
  if kind == 'eps':
    return jnp.sqrt(1 + jnp.exp(-logsnr)) * (z - output * jax.lax.rsqrt(1 + jnp.exp(logsnr)))
  if kind == 'v':
    return jnp.sqrt(jax.nn.sigmoid(logsnr)) * z - jnp.sqrt(jax.nn.sigmoid(-logsnr)) * output
  if kind == 'x0_and_eps':
    x0, eps = jnp.split(output, 2, axis=-1)
    # sigma^2 x0 + alpha (z - sigma eps): never the quotient by alpha that eps alone needs.
    noise = jax.nn.sigmoid(-logsnr)
    return noise * x0 + jnp.sqrt(jax.nn.sigmoid(logsnr)) * (z - jnp.sqrt(noise) * eps)
  raise InputError(f'output is {kind!r}, expected eps, x0, v or x0_and_eps')


def to_eps(x0: jax.Array, z: jax.Array, logsnr: jax.Array) -> jax.Array:
  """The noise in `z` if the clean signal is `x0`."""
  logsnr = _over(logsnr, z)
  return jnp.sqrt(1 + jnp.exp(logsnr)) * (z - x0 * jax.lax.rsqrt(1 + jnp.exp(-logsnr)))


def to_v(x0: jax.Array, eps: jax.Array, logsnr: jax.Array) -> jax.Array:
  """The velocity alpha eps - sigma x0."""
  logsnr = _over(logsnr, x0)
  return jnp.sqrt(jax.nn.sigmoid(logsnr)) * eps - jnp.sqrt(jax.nn.sigmoid(-logsnr)) * x0


def log1mexp(x: jax.Array) -> jax.Array:
  """log(1 - exp(-x)) for x > 0, exact for small and large x (Maechler, 2012)."""
  return jnp.where(x > math.log(2), jnp.log1p(-jnp.exp(-x)), jnp.log(-jnp.expm1(-x)))


def _over(level: jax.Array, like: jax.Array) -> jax.Array:
  """A level [B] shaped so that it broadcasts over the signals [B, ...]."""
  level = jnp.asarray(level)
  return level.reshape(level.shape + (1,) * (like.ndim - level.ndim)) if level.ndim else level
