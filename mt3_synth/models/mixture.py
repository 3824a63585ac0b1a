"""Mixtures of Gaussians with diagonal covariance: what an autoregressive decoder may say of the next frame (Bishop, 1994)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mt3_synth.config import AutoregressiveConfig


class Mixture(NamedTuple):
  """K components over frames of D bands."""

  logits: jax.Array  # [..., K]
  means: jax.Array  # [..., K, D]
  sigmas: jax.Array  # [..., K, D]


def width(bands: int, config: AutoregressiveConfig) -> int:
  """How many numbers say what the next frame is like: D, or K weights, K D means and K D standard deviations."""
  return bands if config.output == 'deterministic' else config.components * (1 + 2 * bands)


def of_output(output: jax.Array, config: AutoregressiveConfig) -> Mixture:
  """The mixture that a decoder's output [..., K (1 + 2 D)] stands for, its standard deviations within their bounds."""
  count = config.components
  logits, rest = jnp.split(output, [count], axis=-1)
  means, raw = jnp.split(rest.reshape(*rest.shape[:-1], 2 * count, -1), 2, axis=-2)
  return Mixture(logits, means, config.min_sigma + (config.max_sigma - config.min_sigma) * jax.nn.sigmoid(raw))


def negative_log_likelihood(mixture: Mixture, frame: jax.Array) -> jax.Array:
  """[...] nats of `frame` [..., D]."""
  error = (frame[..., None, :] - mixture.means) / mixture.sigmas
  log_density = -(0.5 * jnp.square(error) + jnp.log(mixture.sigmas) + 0.5 * math.log(2 * math.pi)).sum(-1)
  return -jax.nn.logsumexp(jax.nn.log_softmax(mixture.logits) + log_density, axis=-1)


def draw(key: jax.Array, mixture: Mixture, temperature: float) -> jax.Array:
  """A frame [..., D]: of a component drawn by its weight; at temperature 0 the mean of the likeliest one."""
  if temperature == 0:
    chosen = mixture.logits.argmax(-1)
  else:
    component_key, key = jax.random.split(key)
    chosen = jax.random.categorical(component_key, mixture.logits / temperature)
  take = lambda x: jnp.take_along_axis(x, chosen[..., None, None], axis=-2)[..., 0, :]
  mean = take(mixture.means)
  return mean if temperature == 0 else mean + temperature * take(mixture.sigmas) * jax.random.normal(key, mean.shape)
