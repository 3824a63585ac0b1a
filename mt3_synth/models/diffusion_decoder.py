"""The denoising network: which noise, or which spectrogram, is in z."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from mt3_synth.config import NetworkConfig
from mt3_synth.models.layers import (
  DROPOUT_BROADCAST,
  Dense,
  FiLM,
  GatedMLP,
  MultiHeadAttention,
  PositionTable,
  RMSNorm,
  modulate,
  time_signal,
)


class Memory(NamedTuple):
  """What a segment's conditions are to each decoder layer: computed once, used at every noise level."""

  keys_values: tuple  # a layer's (keys, values), each [B, K, H, head_dim]
  mask: jax.Array  # [B, K]
  aligned: tuple | None  # of the input, then of each layer: [B, T, E]
  level: jax.Array | None  # [B, T, D] what the aligned notes' magnitudes add up to, for the output

  def beside(self, nothing: 'Memory') -> 'Memory':
    """This memory for the first half of 2B rows; the second half hears nothing, and is told of aligned notes what `nothing` is."""
    both = lambda told, untold: jnp.concatenate([told, jnp.broadcast_to(untold, told.shape)])
    return self._replace(aligned=jax.tree.map(both, self.aligned, nothing.aligned), level=jax.tree.map(both, self.level, nothing.level))


class DecoderLayer(nn.Module):
  """Self-attention, cross-attention and MLP; FiLM before the first and the last."""

  config: NetworkConfig

  def setup(self):
    c = self.config
    self.FiLMLayer_0 = FiLM(c)
    self.FiLMLayer_1 = FiLM(c)
    self.pre_self_attention_layer_norm = RMSNorm(c.dtype)
    self.self_attention = MultiHeadAttention(c)
    self.pre_cross_attention_layer_norm = RMSNorm(c.dtype)
    self.MultiHeadDotProductAttention_0 = MultiHeadAttention(c)
    self.pre_mlp_layer_norm = RMSNorm(c.dtype)
    self.mlp = GatedMLP(c)
    self.dropout = nn.Dropout(c.dropout, DROPOUT_BROADCAST)
    if c.conditioning == 'aligned':
      self.aligned_projection = Dense(c.emb_dim, ('embed', 'embed'), c.dtype)

  def film(self, time_embedding):
    return jnp.stack([self.FiLMLayer_0(time_embedding), self.FiLMLayer_1(time_embedding)], axis=1)

  def project(self, memory):
    return self.MultiHeadDotProductAttention_0.project(memory)

  def __call__(self, x, film, keys_values, mask, deterministic: bool):
    y = modulate(self.pre_self_attention_layer_norm(x), film[:, 0])
    x = x + self.dropout(self.self_attention(y, self.self_attention.project(y)), deterministic)
    hears, deaf = jnp.split(x, [mask.shape[0]])  # attending to nothing gives zero: rows without a memory need no attention
    y = self.MultiHeadDotProductAttention_0(self.pre_cross_attention_layer_norm(hears), keys_values, mask)
    x = jnp.concatenate([hears + self.dropout(y, deterministic), deaf])
    y = modulate(self.pre_mlp_layer_norm(x), film[:, 1])
    return x + self.dropout(self.mlp(y, deterministic), deterministic)


class DiffusionDecoder(nn.Module):
  """z [B, T, D] at a noise level, under conditions -> the network's output [B, T, D]."""

  config: NetworkConfig

  def setup(self):
    c = self.config
    self.time_emb_dense0 = Dense(4 * c.emb_dim, ('vocab', 'embed'), c.dtype)
    self.time_emb_dense1 = Dense(4 * c.emb_dim, ('vocab', 'embed'), c.dtype)
    self.continuous_inputs_projection = Dense(c.emb_dim, ('vocab', 'embed'), c.dtype)
    self.Embed_0 = PositionTable(c.target_frames, c.emb_dim)
    self.layers = [DecoderLayer(c) for _ in range(c.decoder_layers)]
    self.decoder_norm = RMSNorm(c.dtype)
    self.dropout = nn.Dropout(c.dropout, DROPOUT_BROADCAST)
    self.spec_out_dense = Dense(c.mel_bands, ('embed', 'vocab'), 'float32')
    if c.conditioning == 'aligned':
      self.level_out_dense = Dense(c.mel_bands, ('vocab', 'embed'), 'float32', lambda key, shape, dtype: jnp.eye(*shape, dtype=dtype))

  def film(self, time):
    """FiLM of every layer [S, L, 2, 2E] for diffusion times [S]: depends on nothing else, so a walk computes it once."""
    x = nn.silu(self.time_emb_dense0(time_signal(time, self.config.emb_dim, self.config.max_noise_time)))
    x = nn.silu(self.time_emb_dense1(x))
    return jnp.stack([layer.film(x) for layer in self.layers], axis=1)

  def memorise(self, encodings, mask, aligned=None, level=None) -> Memory:
    """The conditions as the layers use them.

    Args:
      encodings: [B, K, E] notes and context, concatenated (`concat_encodings`).
      mask: [B, K].
      aligned, level: [B, T, E] and [B, T, D] of the aligned note encoder, or None.
    """
    keys_values = tuple(layer.project(encodings) for layer in self.layers)
    if aligned is not None:
      aligned = (aligned, *(layer.aligned_projection(aligned) for layer in self.layers))
      level = self.level_out_dense(level)
    return Memory(keys_values, mask, aligned, level)

  def __call__(self, z, film, memory: Memory, deterministic: bool) -> Any:
    x = self.continuous_inputs_projection(z) + self.Embed_0(z.shape[1])
    if memory.aligned is not None:
      x = x + memory.aligned[0]
    x = self.dropout(x, deterministic).astype(self.config.dtype)
    for i, layer in enumerate(self.layers):
      if memory.aligned is not None:
        x = x + memory.aligned[i + 1]
      x = layer(x, film[:, i], memory.keys_values[i], memory.mask, deterministic)
    output = self.spec_out_dense(self.dropout(self.decoder_norm(x), deterministic))
    return output if memory.level is None else output + memory.level
