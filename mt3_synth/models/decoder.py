"""What all decoders share: layers, and the conditions as the layers use them."""

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
  RMSNorm,
  modulate,
  position_encoding,
)
from mt3_synth.models.stack import is_staged, through


class Memory(NamedTuple):
  """What a segment's conditions are to each decoder layer: computed once, used at every noise level or frame."""

  keys_values: tuple  # of each layer, or None, and each of its cross-attentions: keys [B, H, head_dim, K] and values [B, H, K, head_dim]
  masks: tuple  # of each cross-attention: [B, K]
  aligned: tuple | None  # of the input, then of each layer: [B, T, E]
  level: jax.Array | None  # [B, T, D] what the aligned notes' magnitudes add up to, for the output
  encodings: tuple | None = None  # of each cross-attention: [B, K, E], where each layer is to make its keys and values when it is called

  def beside(self, nothing: 'Memory') -> 'Memory':
    """This memory for the first half of 2B rows; the second half hears nothing, and is told of aligned notes what `nothing` is."""
    both = lambda told, untold: jnp.concatenate([told, jnp.broadcast_to(untold, told.shape)])
    return self._replace(aligned=jax.tree.map(both, self.aligned, nothing.aligned), level=jax.tree.map(both, self.level, nothing.level))

  def at(self, frame) -> 'Memory':
    """What is told to one frame."""
    one = lambda x: jax.lax.dynamic_slice_in_dim(x, frame, 1, axis=1)
    return self._replace(aligned=jax.tree.map(one, self.aligned), level=jax.tree.map(one, self.level))


class DecoderLayer(nn.Module):
  """Self-attention, cross-attention and MLP; FiLM before the first and the last where the decoder is told a time."""

  config: NetworkConfig
  cross_attention: str  # what the published checkpoints call it
  with_film: bool

  def setup(self):
    c = self.config
    if self.with_film:
      self.FiLMLayer_0 = FiLM(c)
      self.FiLMLayer_1 = FiLM(c)
    self.pre_self_attention_layer_norm = RMSNorm(c.dtype)
    self.self_attention = MultiHeadAttention(c)
    for name in self.cross_attentions:  # the published model that does not mask padding hears a row of nothing else as its mean
      setattr(self, name, MultiHeadAttention(c, mean_of_unseen=not c.mask_padding and not c.context_frames))
    if self.cross_attentions:
      self.pre_cross_attention_layer_norm = RMSNorm(c.dtype)
    self.pre_mlp_layer_norm = RMSNorm(c.dtype)
    self.mlp = GatedMLP(c)
    self.dropout = nn.Dropout(c.dropout, DROPOUT_BROADCAST)
    if c.conditioning == 'aligned':
      self.aligned_projection = Dense(c.emb_dim, ('embed', 'embed'), c.dtype)

  @property
  def cross_attentions(self) -> list[str]:
    """One, or one for each encoding where they are summed; none where nothing is encoded."""
    encodings = (self.config.conditioning == 'tokens') + (self.config.context_frames > 0)
    count = encodings if self.config.cross_attend_style == 'sum_cross_attends' else min(encodings, 1)
    stem = self.cross_attention.removesuffix('_0')
    return [self.cross_attention, f'{stem}_1'][:count]

  def film(self, time_embedding):
    return jnp.stack([self.FiLMLayer_0(time_embedding), self.FiLMLayer_1(time_embedding)], axis=1)

  def project(self, encodings):
    """The keys and values of each cross-attention, of `encodings` [B, K, E] each: laid out as products on CPUs want them, since a walk that
    uses them a hundred times would lay them out a hundred times."""
    projected = [getattr(self, name).project(x) for name, x in zip(self.cross_attentions, encodings, strict=True)]
    return tuple((keys.transpose(0, 2, 3, 1), values.swapaxes(1, 2)) for keys, values in projected)

  def __call__(self, x, keys_values, masks, deterministic: bool, film=None, seen=None, past=None, twice: bool = False):
    """One layer.

    Args:
      x: [B, Q, E].
      keys_values, masks: of `Memory`, of this layer.  Rows beyond the masks' hear nothing.
      deterministic: no dropout.
      film: [B or 1, 2, 2E].
      seen: which keys each query of the self-attention sees, broadcast to [B, Q, K]; all where None.
      past: ((keys, values), index): those of x, Q = 1, are put there at `index`, and x attends to them all.
      twice: gives 2B rows: those of x, then the same hearing nothing.

    Returns:
      x [B, Q, E], and the self-attention's keys and values.
    """
    y = self.pre_self_attention_layer_norm(x)
    y = y if film is None else modulate(y, film[:, 0])
    own = self.self_attention.project(y)
    if past is not None:
      own = jax.tree.map(lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, past[1], axis=1), past[0], own)
    x = x + self.dropout(self.self_attention(y, own, seen), deterministic)
    if masks:
      # Attending to nothing gives zero: rows without a memory need no attention.
      hears, deaf = (x, x) if twice else jnp.split(x, [masks[0].shape[0]])
      y = self.pre_cross_attention_layer_norm(hears)
      told = zip(self.cross_attentions, map(_as_projected, keys_values), _as_keys(masks), strict=True)
      heard = [getattr(self, name)(y, *each) for name, *each in told]
      x = jnp.concatenate([hears + self.dropout(sum(heard), deterministic), deaf])
    y = self.pre_mlp_layer_norm(x)
    y = y if film is None else modulate(y, film[:, 1])
    return x + self.dropout(self.mlp(y, deterministic), deterministic), own


def _as_keys(masks):
  return [mask[:, None] for mask in masks]


def _as_projected(keys_values):
  keys, values = keys_values
  return keys.transpose(0, 3, 1, 2), values.swapaxes(1, 2)


class Decoder(nn.Module):
  """Frames [B, T, D], under conditions -> [B, T, outputs].  What else it is told, and in which order, is the subclass's."""

  config: NetworkConfig
  outputs: int

  cross_attention = 'MultiHeadDotProductAttention_0'
  with_film = True

  def setup(self):
    c = self.config
    self.continuous_inputs_projection = Dense(c.emb_dim, ('vocab', 'embed'), c.dtype)
    self.Embed_0 = position_encoding(c, c.target_frames)
    self.layers = [DecoderLayer(c, self.cross_attention, self.with_film) for _ in range(c.decoder_layers)]
    self.decoder_norm = RMSNorm(c.dtype)
    self.dropout = nn.Dropout(c.dropout, DROPOUT_BROADCAST)
    self.spec_out_dense = Dense(self.outputs, ('embed', 'vocab'), 'float32')
    if c.conditioning == 'aligned':
      self.level_out_dense = Dense(c.mel_bands, ('vocab', 'embed'), 'float32', lambda key, shape, dtype: jnp.eye(*shape, dtype=dtype))

  def memorise(self, encodings: list, aligned: Any = None, level: Any = None, once: bool = False) -> Memory:
    """The conditions as the layers use them.

    Args:
      encodings: (x [B, K, E], mask [B, K]) of the notes and of the context, as far as they are encoded.
      aligned, level: [B, T, E] and [B, T, D] of the aligned note encoder, or None.
      once: they are used once, so each layer may as well make its keys and values when it is called, and remember none.
    """
    if len(encodings) > 1 and self.config.cross_attend_style == 'concat_encodings':
      encodings = [tuple(jnp.concatenate(parts, axis=1) for parts in zip(*encodings, strict=True))]
    heard = tuple(x for x, _ in encodings)
    keys_values = tuple(None if once else layer.project(heard) for layer in self.layers)
    if aligned is not None:
      aligned = (aligned, *(layer.aligned_projection(aligned) for layer in self.layers))
      level = self.level_out_dense(level)
    return Memory(keys_values, tuple(mask for _, mask in encodings), aligned, level, heard if once else None)

  def embed(self, frames, positions, memory: Memory, deterministic: bool):
    """What the first layer is given of `frames` [B, Q, D] at `positions` [Q, E]."""
    x = self.continuous_inputs_projection(frames) + positions
    if memory.aligned is not None:
      x = x + memory.aligned[0]
    return self.dropout(x, deterministic).astype(self.config.dtype)

  def walk(self, x, memory: Memory, deterministic: bool, film=None, seen=None, twice: bool = False):
    """x [B, Q, E] through all layers; film [B or 1, L, 2, 2E]; `seen` and `twice` of `DecoderLayer`, `twice` of the first alone."""

    def call(layer, x, own, twice=False):
      keys_values, aligned, film = own
      x = x if aligned is None else x + aligned
      keys_values = layer.project(memory.encodings) if keys_values is None else keys_values
      return layer(x, keys_values, memory.masks, deterministic, film=film, seen=seen, twice=twice)[0]

    aligned = memory.aligned and memory.aligned[1:]
    own = [(memory.keys_values[i], aligned and aligned[i], None if film is None else film[:, i]) for i in range(len(self.layers))]
    layers = self.layers
    if twice:
      x, layers, own = call(layers[0], x, own[0], twice=True), layers[1:], own[1:]
    return through(layers, x, own, call) if layers else x

  def read_out(self, x, deterministic: bool) -> Any:
    """[B, Q, outputs] of the last layer's x [B, Q, E]."""
    return self.spec_out_dense(self.dropout(self.decoder_norm(x), deterministic))


def memorise(decoder: Decoder, note_encoder: nn.Module, context_encoder: nn.Module | None, conditions: Any, deterministic: bool) -> Memory:
  """Encodes `Conditions` for `decoder`; without a context encoder the context is not heard."""
  notes = note_encoder(conditions.notes, deterministic)
  context = []
  if context_encoder is not None:
    mask = conditions.context_mask > 0
    context = [(context_encoder(conditions.context, mask, deterministic), mask)]
  once = not deterministic and is_staged(decoder.config)
  if decoder.config.conditioning == 'aligned':
    return decoder.memorise(context, *notes, once=once)
  return decoder.memorise([notes, *context], once=once)
