"""Spectrograms drawn by a denoising network: guidance, noise levels, and the walk from noise to sound."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mt3_synth.config import ModelConfig, NetworkConfig, SamplerConfig
from mt3_synth.diffusion import process, samplers
from mt3_synth.models.conditions import Conditions


class Drawing(NamedTuple):
  """A walk that has begun, and all that stays the same along it: a segment's memory, and FiLM of each level within the levels."""

  state: samplers.State
  memory: Any  # of the conditions
  guided_memory: Any  # for doubled rows, or None without guidance
  transitions: samplers.Transition
  last: samplers.Levels


def for_sampling(network: NetworkConfig, sampler: SamplerConfig) -> NetworkConfig:
  """The network as `sampler` runs it: its activations may have another type than in training."""
  return dataclasses.replace(network, dtype=sampler.dtype or network.dtype)


def draw(network: Any, config: ModelConfig, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> jax.Array:
  """A scaled mel [B, T, D] drawn under `conditions`: encoders, keys, values and FiLM once, then one compiled walk.

  Args:
    network: bound to its parameters; has `encode(conditions) -> memory`, `film(times [S])` and `decode(z, film, memory) -> output`.
    config: the model's.
    conditions: of B segments.
    key: of jax.random; the same key gives the same spectrogram.  One for all, or [B]: then a segment does not depend on the others.
    sampler: how to walk.
  """
  drawing = begin(network, config, conditions, key, sampler)
  return finish(network, config, proceed(network, config, drawing, drawing.transitions, sampler), sampler)


def begin(network: Any, config: ModelConfig, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> Drawing:
  """What is done once: encoders, keys and values, FiLM of all levels; see `draw`."""
  levels = samplers.levels_of(sampler)
  time = levels.time if config.diffusion.schedule == 'cosine' else process.time_at(levels.logsnr, config.diffusion)
  levels = levels._replace(features=network.film(time))
  memory = network.encode(conditions)
  # Of the conditions' absence only what the decoder adds to each frame is used: the compiler leaves out its encoders, keys and values.
  guided = memory.beside(network.encode(conditions.nothing())) if sampler.guidance != 1.0 else None
  shape = (conditions.batch_size, config.network.target_frames, config.network.mel_bands)
  state, transitions, last = samplers.start(key, levels, shape, sampler)
  return Drawing(state, memory, guided, transitions, last)


def proceed(network: Any, config: ModelConfig, drawing: Drawing, part: samplers.Transition, sampler: SamplerConfig) -> Drawing:
  """Walks `part`, the next of `drawing.transitions`."""
  return drawing._replace(state=samplers.walk(drawing.state, _denoiser(network, config, drawing, sampler), part, sampler))


def finish(network: Any, config: ModelConfig, drawing: Drawing, sampler: SamplerConfig) -> jax.Array:
  """The scaled mel [B, T, D] at the walk's end."""
  return samplers.finish(drawing.state, _denoiser(network, config, drawing, sampler), drawing.last)


def _denoiser(network, config, drawing, sampler) -> samplers.Denoise:
  def plain(z, film):
    return network.decode(z, film, drawing.memory)

  def guided(z, film):  # both passes are one doubled batch; the second half hears no conditions
    conditional, unconditional = jnp.split(network.decode(jnp.concatenate([z, z]), film, drawing.guided_memory), 2)
    return samplers.guide(conditional, unconditional, sampler.guidance)

  def denoise(z, level):
    film = level.features[None]
    if sampler.guidance == 1.0:
      output = plain(z, film)
    elif sampler.guidance_interval is None:
      output = guided(z, film)
    else:
      output = jax.lax.cond(samplers.guided_at(level.logsnr, sampler), guided, plain, z, film)
    return process.to_x0(output, z, level.logsnr, config.diffusion.output)

  return denoise
