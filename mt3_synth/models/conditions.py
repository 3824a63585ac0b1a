"""What a segment is played from."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mt3_synth.config import NetworkConfig
from mt3_synth.models.aligned import AlignedNotes


class Conditions(NamedTuple):
  """The notes of a segment, and the sound before it where the model has a context encoder."""

  notes: Any  # tokens [B, N], or AlignedNotes of [B, M]
  context: Any = None  # [B, C, D] scaled mel, valid frames first; None of models without context
  context_mask: Any = None  # [B, C]

  @property
  def batch_size(self) -> int:
    return jax.tree.leaves(self.notes)[0].shape[0]

  def nothing(self) -> 'Conditions':
    """One example of the same kind that has lost all conditions, with the fewest notes there can be."""
    one = jax.tree.map(lambda x: jnp.zeros_like(x[:1]), self)
    return one._replace(notes=jax.tree.map(lambda x: x[:, :1], one.notes))

  def where(self, keep: jax.Array) -> 'Conditions':
    """Drops all conditions of the examples where `keep` [B] is False."""
    keep = keep[:, None]
    if isinstance(self.notes, AlignedNotes):
      notes = self.notes._replace(mask=jnp.where(keep, self.notes.mask, 0))
    else:
      notes = jnp.where(keep, self.notes, 0)
    return self._replace(notes=notes, context_mask=None if self.context_mask is None else jnp.where(keep, self.context_mask, 0))

  def cut(self, length: int) -> 'Conditions':
    """The first `length` tokens of each row."""
    return self._replace(notes=self.notes[:, :length])

  def weakened(self, key: jax.Array, dropout: float, noise: float) -> 'Conditions':
    """A context as a piece drawn segment after segment meets it: absent from a share `dropout` of the examples, and noisy."""
    if self.context is None or not (dropout or noise):
      return self
    drop_key, noise_key = jax.random.split(key)
    kept = jax.random.bernoulli(drop_key, 1 - dropout, self.context_mask.shape[:1])
    context = self.context + noise * jax.random.normal(noise_key, self.context.shape)
    return self._replace(context=context, context_mask=self.context_mask * kept[:, None])


def no_conditions(config: NetworkConfig, batch: int = 1) -> Conditions:
  """What tells a network of `config` nothing, in the shapes it is told of."""
  if config.conditioning == 'tokens':
    notes = jnp.zeros((batch, config.note_length), jnp.int32)
  else:
    real, whole = jnp.zeros((batch, 1)), jnp.zeros((batch, 1), jnp.int32)
    notes = AlignedNotes(real, real, whole, whole, real, real)
  if not config.context_frames:
    return Conditions(notes)
  return Conditions(notes, jnp.zeros((batch, config.context_frames, config.mel_bands)), jnp.zeros((batch, config.context_frames)))
