"""What a decoder is told: the notes as tokens, and the sound so far."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from mt3_synth.config import NetworkConfig
from mt3_synth.models.layers import DROPOUT_BROADCAST, Dense, Embed, GatedMLP, MultiHeadAttention, RMSNorm, position_encoding
from mt3_synth.models.stack import through


class EncoderLayer(nn.Module):
  """Pre-norm self-attention and MLP."""

  config: NetworkConfig

  def setup(self):
    self.pre_attention_layer_norm = RMSNorm(self.config.dtype)
    self.attention = MultiHeadAttention(self.config)
    self.pre_mlp_layer_norm = RMSNorm(self.config.dtype)
    self.mlp = GatedMLP(self.config)
    self.dropout = nn.Dropout(self.config.dropout, DROPOUT_BROADCAST)

  def __call__(self, x, mask, deterministic: bool):
    """x, mask: [B, K, E] and [B, K], or None where all is heard."""
    y = self.pre_attention_layer_norm(x)
    key_mask = None if mask is None else mask[:, None]
    x = x + self.dropout(self.attention(y, self.attention.project(y), key_mask, first_keys=True), deterministic)
    return x + self.dropout(self.mlp(self.pre_mlp_layer_norm(x), deterministic), deterministic)


def encode(layers, x, mask, deterministic: bool):
  """x [B, K, E] through all layers; what `mask` [B, K] lets be heard comes first in each row."""
  return through(layers, x, [None] * len(layers), lambda layer, x, _: layer(x, mask, deterministic))


class TokenEncoder(nn.Module):
  """Note tokens [B, N] -> encodings [B, N, E] and their mask [B, N]; token 0 is padding."""

  config: NetworkConfig

  def setup(self):
    c = self.config
    self.token_embedder = Embed(c.vocab_size, c.emb_dim)
    self.Embed_0 = position_encoding(c, c.note_length)
    self.layers = [EncoderLayer(c) for _ in range(c.encoder_layers)]
    self.encoder_norm = RMSNorm(c.dtype)
    self.dropout = nn.Dropout(c.dropout, DROPOUT_BROADCAST)

  def __call__(self, tokens, deterministic: bool):
    mask = tokens > 0
    x = self.token_embedder.take(tokens) + self.Embed_0(tokens.shape[1])
    x = self.dropout(x, deterministic).astype(self.config.dtype)
    heard = mask if self.config.mask_padding else None
    x = encode(self.layers, x, heard, deterministic)
    return self.dropout(self.encoder_norm(x), deterministic), mask


class ContextEncoder(nn.Module):
  """Scaled mel frames [B, C, D], valid ones first, with their mask [B, C] -> encodings [B, C, E]."""

  config: NetworkConfig

  def setup(self):
    c = self.config
    self.input_proj = Dense(c.emb_dim, ('vocab', 'embed'), c.dtype)
    self.Embed_0 = position_encoding(c, c.context_frames)
    self.layers = [EncoderLayer(c) for _ in range(c.encoder_layers)]
    self.encoder_norm = RMSNorm(c.dtype)
    self.dropout = nn.Dropout(c.dropout, DROPOUT_BROADCAST)

  def __call__(self, context, mask, deterministic: bool):
    positions = self.Embed_0(context.shape[1])
    if self.config.context_positions == 'terminal_relative':  # the last valid frame always has the last position
      positions = jax.vmap(lambda length: jnp.roll(positions, length, axis=0))((mask > 0).sum(-1))
    x = self.dropout(self.input_proj(context) + positions, deterministic).astype(self.config.dtype)
    x = encode(self.layers, x, mask, deterministic)
    return self.dropout(self.encoder_norm(x), deterministic)
