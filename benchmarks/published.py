"""The published way to draw a segment, and to train, with this package's own layers: what `sampling` and `training` measure against.

As in the code published with Hawthorne et al. (ISMIR 2022), of which this is no copy: rows of 2048 tokens, padding included; tokens
embedded by a product with a one-hot matrix; guidance as two passes, whose unconditional one attends to encodings and masks multiplied by
zero; the time network, FiLM, and keys and values of the encodings within each step, unless the compiler moves them out of the loop.
What is drawn is the same, and in training the loss and its gradient.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from mt3_synth.config import ModelConfig, SamplerConfig
from mt3_synth.diffusion import process, samplers
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.diffusion import DiffusionModel
from mt3_synth.models.layers import Dense, Embed, MultiHeadAttention


class Encodings(NamedTuple):
  """Notes and context, side by side."""

  values: jax.Array  # [B, N + C, E]
  mask: jax.Array  # [B, N + C], floats as published: of those the compiler does not know that times zero they are zero


def encode(network: Any, conditions: Conditions) -> Encodings:
  """Both encoders, once a segment.  `network` is a DiffusionNetwork that reads tokens, bound to its parameters."""
  encoder, tokens = network.token_encoder, conditions.notes
  table = encoder.token_embedder.embedding
  x = jax.nn.one_hot(tokens, len(table)) @ table + encoder.Embed_0(tokens.shape[1])
  for layer in encoder.layers:
    x = layer(x, tokens > 0, True)
  context = network.continuous_encoder(conditions.context, conditions.context_mask > 0, True)
  values = jnp.concatenate([encoder.encoder_norm(x), context], axis=1)
  mask = jnp.concatenate([tokens > 0, conditions.context_mask > 0], axis=1)
  return Encodings(values, mask.astype(jnp.float32))


@contextlib.contextmanager
def published_attention() -> Iterator[None]:
  """Within it, what is traced divides each attention weight by their sum before the values are weighed, as is usual."""

  def attend(call, args, kwargs, context):
    layer: Any = context.module
    if not isinstance(layer, MultiHeadAttention) or context.method_name != '__call__':
      return call(*args, **kwargs)
    given: Any = (*args, None)
    x, (keys, values), mask = given[:3]
    logits = jnp.einsum('bqhd,bkhd->bhqk', layer.query(x).reshape(*x.shape[:-1], *keys.shape[-2:]), keys)
    if mask is None:
      weights = jax.nn.softmax(logits)
    else:
      seen = (mask > 0)[:, None]
      weights = jnp.where(seen.any(-1, keepdims=True), jax.nn.softmax(logits + jnp.where(seen, 0.0, -1e10)), 0)
    return layer.out(jnp.einsum('bhqk,bkhd->bqhd', weights, values).reshape(*x.shape[:-1], -1))

  with nn.intercept_methods(attend):
    yield


@contextlib.contextmanager
def published_layers() -> Iterator[None]:
  """Within it, what is traced also embeds tokens by a product with a one-hot matrix, and multiplies arrays of three axes by kernels."""

  def layer(call, args, kwargs, context):
    module: Any = context.module
    if isinstance(module, Embed) and context.method_name == 'take':
      return jax.nn.one_hot(args[0], module.rows) @ module.embedding
    if isinstance(module, Dense) and context.method_name == '__call__' and not module.is_initializing():
      return args[0].astype(module.dtype) @ module.variables['params']['kernel'].astype(module.dtype)
    return call(*args, **kwargs)

  with published_attention(), nn.intercept_methods(layer):
    yield


@dataclass(frozen=True)
class PublishedModel(DiffusionModel):
  """Trained as published."""

  def loss(self, params: Any, batch: dict[str, Any], key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    with published_layers():
      return super().loss(params, batch, key)


def output(network: Any, z: jax.Array, time: jax.Array, encodings: Encodings) -> jax.Array:
  """One pass of the decoder at `time` [1], everything within it."""
  decoder = network.decoder
  return decoder(z, decoder.film(time), decoder.memorise([(encodings.values, encodings.mask)]), True)


def denoise(network: Any, config: ModelConfig, z: jax.Array, level: samplers.Levels, encodings: Encodings, weight: float) -> jax.Array:
  """The prediction of a guided step, two passes."""
  nothing = Encodings(encodings.values * 0, encodings.mask * 0)
  told, untold = (output(network, z, level.time[None], each) for each in (encodings, nothing))
  return process.to_x0(samplers.guide(told, untold, weight), z, level.logsnr, config.diffusion.output)


def draw(network: Any, config: ModelConfig, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> jax.Array:
  """A scaled mel [B, T, D]; the arguments are those of `mt3_synth.models.drawing.draw`, and so, to rounding, is the result."""
  encodings = encode(network, conditions)
  shape = (conditions.batch_size, config.network.target_frames, config.network.mel_bands)
  predict = lambda z, level: denoise(network, config, z, level, encodings, sampler.guidance)
  return samplers.sample(key, predict, samplers.levels_of(sampler), shape, sampler)
