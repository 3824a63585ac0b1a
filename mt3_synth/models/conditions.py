"""What a segment is played from."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

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
