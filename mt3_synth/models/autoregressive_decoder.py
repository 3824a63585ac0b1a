"""The decoder that predicts a frame from those before it, whole segments at once or frame after frame."""

from typing import Any

import jax
import jax.numpy as jnp

from mt3_synth.models.decoder import Decoder, Memory


class AutoregressiveDecoder(Decoder):
  """Frames before [B, T, D], under conditions -> what is said of each frame [B, T, outputs]."""

  cross_attention = 'encoder_decoder_attention'
  with_film = False

  def __call__(self, before, memory: Memory, deterministic: bool) -> Any:
    """All frames at once, each seeing only those before it.

    Args:
      before: [B, T, D] the targets, one frame later, a zero frame first.
      memory: of the conditions.
      deterministic: no dropout.
    """
    length = before.shape[1]
    seen = jnp.tril(jnp.ones((1, length, length), bool))
    x = self.embed(before, self.Embed_0(length), memory, deterministic)
    return self.read_out(self.walk(x, memory, deterministic, seen=seen), deterministic)

  def step(self, before, frame, past, memory: Memory) -> Any:
    """One frame.

    Args:
      before: [B, D] the frame before it.
      frame: its index.
      past: of `new_past`, or of the step before.
      memory: of the conditions.

    Returns:
      what is said of it [B, outputs], and the keys and values up to it.
    """
    seen = (jnp.arange(self.config.target_frames) <= frame)[None, None]
    positions = jax.lax.dynamic_slice_in_dim(self.Embed_0(self.config.target_frames), frame, 1)
    memory = memory.at(frame)
    x, kept = self.embed(before[:, None], positions, memory, True), []
    for i, layer in enumerate(self.layers):
      if memory.aligned is not None:
        x = x + memory.aligned[i + 1]
      x, own = layer(x, memory.keys_values[i], memory.masks, True, seen=seen, past=(past[i], frame))
      kept.append(own)
    return self.read_out(x, True)[:, 0], kept

  def new_past(self, batch: int) -> list:
    """Keys and values of no frames, for each layer."""
    c = self.config
    nothing = jnp.zeros((batch, c.target_frames, c.num_heads, c.head_dim), c.dtype)
    return [(nothing, nothing)] * c.decoder_layers
