"""Walks from noise to a spectrogram.  Each is one compiled scan over noise levels, and can be made in parts.

Every sampler here is a step of first order and, perhaps, a prediction carried on from the step before (`ahead`):

                 first order   second order
  deterministic  ddim          dpmpp_2m      (Lu et al., DPM-Solver++, 2022, algorithm 2)
  ancestral      ddpm          dpmpp_2m_sde  (the same, section 5; exact for variance `small`)
"""

import math
import typing
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import DiffusionConfig, SamplerConfig
from mt3_synth.diffusion import process
from mt3_synth.errors import InputError

Denoise = Callable[[jax.Array, Any], jax.Array]
COSINE = DiffusionConfig()
DETERMINISTIC = ('ddim', 'dpmpp_2m')
SECOND_ORDER = ('dpmpp_2m', 'dpmpp_2m_sde')
NOISIEST, CLEANEST = (
  -9.0,
  9.0,
)  # log-SNR of the ends of a spacing that is not in time, where uniform steps would be lost on what is all noise
POWER = 7.0  # of noise over signal, Karras et al. (EDM, 2022), equation 5


class Levels(NamedTuple):
  """Noise levels from noisy to clean, each [S]; slices of it are what `denoise` is given.

  `features` is what the network makes of the time alone, computed once for the whole walk.
  """

  time: jax.Array
  logsnr: jax.Array
  features: Any = None


class Transition(NamedTuple):
  """From one level to the next; all of a walk's have a leading axis [S - 1]."""

  key: jax.Array
  here: Levels
  there: Levels
  ahead: jax.Array


class State(NamedTuple):
  """Where a walk is: z [B, T, D], and the clean signal as predicted on the way here."""

  z: jax.Array
  x0: jax.Array


def checked(config: SamplerConfig) -> SamplerConfig:
  """`config` itself.

  Raises:
    InputError: a field is out of range.
  """
  hints = typing.get_type_hints(SamplerConfig)
  for field, what in (('name', 'sampler'), ('spacing', 'spacing')):
    names = typing.get_args(hints[field])
    if getattr(config, field) not in names:
      raise InputError(f'no {what} {getattr(config, field)!r}; there are {", ".join(names)}')
  if config.dtype not in (None, 'float32', 'bfloat16'):
    raise InputError(f'dtype is {config.dtype!r}, expected float32 or bfloat16')
  if config.steps < 1:
    raise InputError(f'{config.steps} sampling steps, expected at least 1')
  if not math.isfinite(config.guidance):
    raise InputError(f'guidance is {config.guidance}, expected a finite number')
  process.large_share(config.variance)
  interval = config.guidance_interval
  if interval is not None and not (len(interval) == 2 and interval[0] <= interval[1]):
    raise InputError(f'guidance_interval is {interval}, expected two log-SNR, the lower first, such as (-4, 4)')
  return config


def levels_of(config: SamplerConfig, diffusion: DiffusionConfig = COSINE) -> Levels:
  """The `config.steps` levels that its spacing asks for.

  `time`: times 1, 1 - 1/steps, ..., 1/steps of the model's schedule, as published.  `logsnr`: uniform from NOISIEST to CLEANEST.  `power`:
  between the same ends, uniform in the POWERth root of noise over signal.

  Raises:
    InputError: as `checked`.
  """
  steps = checked(config).steps
  if config.spacing == 'time':
    time = jnp.asarray(np.arange(steps, 0, -1) / np.float32(steps), jnp.float32)
    return Levels(time, process.logsnr_at(time, diffusion))
  if config.spacing == 'logsnr':
    return levels_at(np.linspace(NOISIEST, CLEANEST, steps), diffusion)
  largest, smallest = (math.exp(-0.5 * end / POWER) for end in (NOISIEST, CLEANEST))
  return levels_at(-2 * POWER * np.log(np.linspace(largest, smallest, steps)), diffusion)


def levels_at(logsnr: Any, diffusion: DiffusionConfig = COSINE) -> Levels:
  """Levels at any log-SNR [S] within +-20, ascending."""
  logsnr = jnp.asarray(logsnr, jnp.float32)
  return Levels(process.time_at(logsnr, diffusion), logsnr)


def guide(conditional: jax.Array, unconditional: jax.Array, weight: float) -> jax.Array:
  """Classifier-free guidance (Ho & Salimans, 2022): 1 is none, larger follows the conditions more closely."""
  return weight * conditional + (1 - weight) * unconditional


def guided_at(logsnr: Any, config: SamplerConfig) -> Any:
  """Whether guidance counts at `logsnr` (Kynkäänniemi et al., 2024): inside the interval, both ends included; everywhere without one."""
  low, high = config.guidance_interval or (-math.inf, math.inf)
  return (low <= logsnr) & (logsnr <= high)


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
    key: of jax.random; the same key gives the same spectrogram.  One for all rows, or [B]: then a row does not depend on the others.
    denoise: (z, level) -> x0, `level` being one slice of `levels`.
    levels: noisy to clean.  The last prediction is the result.
    config: which walk; `steps` and `guidance` are already inside `levels` and `denoise`.
  """
  state, transitions, last = start(key, levels, shape, config)
  return finish(walk(state, denoise, transitions, config), denoise, last)


def start(key: jax.Array, levels: Levels, shape: tuple[int, ...], config: SamplerConfig) -> tuple[State, Transition, Levels]:
  """Pure noise, the S - 1 transitions to `walk`, and the last level, at which to `finish`."""
  init_key, steps_key = _split(key, 2)
  count = levels.time.shape[0]
  here, there, last = (jax.tree.map(lambda x, s=s: x[s], levels) for s in (slice(None, -1), slice(1, None), -1))
  stride = jnp.diff(levels.logsnr)
  ahead = jnp.zeros(count - 1)
  if config.name in SECOND_ORDER and count > 2:
    ahead = ahead.at[1:].set(0.5 * stride[1:] / stride[:-1])
  noise = _normal(init_key, shape)
  return State(noise, jnp.zeros_like(noise)), Transition(_split(steps_key, count)[1:], here, there, ahead), last


def walk(state: State, denoise: Denoise, transitions: Transition, config: SamplerConfig) -> State:
  """Follows some of a walk's transitions; in parts or at once is the same."""

  def step(state, transition):
    key, here, there, ahead = transition
    z, before = state
    x0 = clean(z, denoise, here)
    target = x0 + ahead * (x0 - before) if config.name in SECOND_ORDER else x0
    if config.name in DETERMINISTIC:
      z = ddim_step(target, process.to_eps(target, z, here.logsnr), there.logsnr)
    else:
      z = ddpm_step(z, target, here.logsnr, there.logsnr, _normal(key, z.shape), config.variance)
    return State(z, x0), None

  return jax.lax.scan(step, state, transitions)[0]


def finish(state: State, denoise: Denoise, last: Levels) -> jax.Array:
  """The walk's result: the prediction at the last level."""
  return clean(state.z, denoise, last)


def clean(z: jax.Array, denoise: Denoise, level: Levels) -> jax.Array:
  return jnp.clip(denoise(z, level), -1, 1)


def _split(key, count):
  """[count], or [count, B] of keys [B]."""
  return jnp.moveaxis(jax.vmap(lambda one: jax.random.split(one, count))(key), 1, 0) if key.ndim else jax.random.split(key, count)


def _normal(key, shape):
  return jax.vmap(lambda one: jax.random.normal(one, shape[1:]))(key) if key.ndim else jax.random.normal(key, shape)
