"""Spectrograms drawn by a denoising network: guidance, noise levels, and the walk from noise to a segment."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mt3_synth.config import ModelConfig, SamplerConfig
from mt3_synth.diffusion import process, samplers
from mt3_synth.models.conditions import Conditions


class Drawing(NamedTuple):
  """A walk that has begun, and all that stays the same along it: a segment's memory, and FiLM of each level within the levels."""

  state: samplers.State
  memory: Any  # of the conditions
  guided_memory: Any  # for doubled rows, or None without guidance
  transitions: samplers.Transition
  last: samplers.Levels


def draw(network: Any, config: ModelConfig, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> jax.Array:
  """A scaled mel [B, T, D] drawn under `conditions`: encoders, keys, values and FiLM once, then one compiled walk.

  Args:
    network: bound to its parameters; has `encode(conditions) -> memory`, `film(times [S])` and `decode(z, film, memory) -> output`,
      which, told `twice`, gives 2B rows: the second half is of the same z without conditions.
    config: the model's.
    conditions: of B segments.
    key: of jax.random; the same key gives the same spectrogram.  One for all, or [B]: then a segment does not depend on the others.
    sampler: how to walk.
  """
  drawing = begin(network, config, conditions, key, sampler)
  return finish(network, config, proceed(network, config, drawing, drawing.transitions, sampler), sampler)


def begin(network: Any, config: ModelConfig, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> Drawing:
  """What is done once: encoders, keys and values, FiLM of all levels; see `draw`."""
  network = _at_precision(network, sampler)
  levels = samplers.levels_of(sampler, config.diffusion)
  levels = levels._replace(features=network.film(levels.time))
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


def draw_in_parts(model: Any, params: Any, conditions: Conditions, key: jax.Array, sampler: SamplerConfig, every: int) -> Iterator:
  """The walk of `draw`, stopping every `every` steps; each part is one compiled program.

  Yields:
    (step, scaled mel [B, T, D] as it is predicted there), the result last, at step `sampler.steps`.
  """
  drawing = _begin(params, conditions, key, model=model, sampler=sampler)
  transitions = sampler.steps - 1
  for start in range(0, transitions, every):
    part = jax.tree.map(lambda x, start=start: x[start : start + every], drawing.transitions)
    drawing = _proceed(params, drawing, part, model=model, sampler=sampler)
    if start + every <= transitions:
      yield start + every, drawing.state.x0
  yield sampler.steps, _finish(params, drawing, model=model, sampler=sampler)


@partial(jax.jit, static_argnames=('model', 'sampler'))
def _begin(params, conditions, key, *, model, sampler):
  return begin(model.network.bind({'params': params}), model.config, conditions, key, sampler)


@partial(jax.jit, static_argnames=('model', 'sampler'))
def _proceed(params, drawing, part, *, model, sampler):
  return proceed(model.network.bind({'params': params}), model.config, drawing, part, sampler)


@partial(jax.jit, static_argnames=('model', 'sampler'))
def _finish(params, drawing, *, model, sampler):
  return finish(model.network.bind({'params': params}), model.config, drawing, sampler)


def _at_precision(network, sampler):
  """The network with activations of the sampler's type, where it has one."""
  if sampler.dtype in (None, network.config.dtype):
    return network
  return network.clone(config=dataclasses.replace(network.config, dtype=sampler.dtype)).bind(network.variables)


def _denoiser(network, config, drawing, sampler) -> samplers.Denoise:
  network = _at_precision(network, sampler)

  def plain(z, film):
    return network.decode(z, film, drawing.memory)

  def guided(z, film):  # both passes are one doubled batch; the second half hears no conditions
    conditional, unconditional = jnp.split(network.decode(z, film, drawing.guided_memory, twice=True), 2)
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
