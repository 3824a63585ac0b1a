"""Spectrograms drawn by a denoising network: guidance, noise levels, and the walk from noise to sound."""

from typing import Any

import jax
import jax.numpy as jnp

from mt3_synth.config import ModelConfig, SamplerConfig
from mt3_synth.diffusion import process, samplers
from mt3_synth.models.conditions import Conditions


def draw(network: Any, config: ModelConfig, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> jax.Array:
  """A scaled mel [B, T, D] drawn under `conditions`: encoders, keys, values and FiLM once, then one compiled walk.

  Args:
    network: bound to its parameters; has `encode(conditions) -> memory`, `film(times [S])` and `decode(z, film, memory) -> output`.
    config: the model's.
    conditions: of B segments.
    key: of jax.random; the same key gives the same spectrogram.
    sampler: how to walk.
  """
  guided = sampler.guidance != 1.0
  batch = conditions.batch_size
  if guided:  # both passes are one doubled batch; the second half has lost its conditions
    conditions = jax.tree.map(lambda x: jnp.concatenate([x, x]), conditions)
    conditions = conditions.where(jnp.arange(2 * batch) < batch)
  memory = network.encode(conditions)
  levels = samplers.uniform_levels(sampler.steps)
  levels = levels._replace(features=network.film(levels.time))

  def denoise(z, level):
    film = level.features[None]
    if guided:
      output = network.decode(jnp.concatenate([z, z]), film, memory)
      output = samplers.guide(output[:batch], output[batch:], sampler.guidance)
    else:
      output = network.decode(z, film, memory)
    return process.to_x0(output, z, level.logsnr, config.diffusion.output)

  shape = (batch, config.network.target_frames, config.network.mel_bands)
  return samplers.sample(key, denoise, levels, shape, sampler)
