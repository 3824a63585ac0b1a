"""Models of no training, and what they are told."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import ModelConfig
from mt3_synth.models.aligned import AlignedNotes
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import make_model
from tests.data.tiny import untrained

BANDS = 128


class Example(NamedTuple):
  model: Any
  params: Any
  conditions: Conditions
  targets: jax.Array  # [B, T, D]


def notes_at(onset, offset, pitch=60, program=0, mask: Any = 1):
  """AlignedNotes [1, M]."""
  row = lambda x, dtype: jnp.asarray(x, dtype).reshape(1, -1)
  like = np.ones(np.size(onset))
  return AlignedNotes(
    row(onset, jnp.float32), row(offset, jnp.float32), row(pitch * like, jnp.int32), row(program * like, jnp.int32),
    row(0.8 * like, jnp.float32), row(mask * like, jnp.float32),
  )  # fmt: skip


@functools.cache
def example(config: ModelConfig) -> Example:
  """Two segments: one of three notes with the whole context, one of two with half of it."""
  network = config.network
  if network.conditioning == 'tokens':
    notes: Any = jnp.array([[5, 6, 7, 1, 0, 0, 0, 0], [9, 8, 1, 0, 0, 0, 0, 0]])
  else:
    one, other = (
      notes_at([2.0, 5.5, 9.0], [6.0, 9.0, 15.0]),
      notes_at([0.0, 7.0, 0.0], [3.0, 12.0, 0.0], pitch=70, mask=np.array([1, 1, 0])),
    )
    notes = jax.tree.map(lambda *rows: jnp.concatenate(rows), one, other)
  context, mask = None, None
  if network.context_frames:
    context = jax.random.uniform(jax.random.key(1), (2, network.context_frames, BANDS), minval=-1)
    mask = (jnp.arange(network.context_frames) < jnp.array([[network.context_frames], [network.context_frames // 2]])).astype(jnp.int32)
  targets = jax.random.uniform(jax.random.key(2), (2, network.target_frames, BANDS), minval=-1)
  return Example(make_model(config), untrained(config), Conditions(notes, context, mask), targets)


@functools.cache
def _outputs(model):
  """Diffusion: of z = targets at time 0.5; autoregressive: of each frame from those before it."""
  if model.config.decoder == 'diffusion':
    return jax.jit(lambda p, c, x: model.network.apply({'params': p}, x, jnp.full(len(x), 0.5), c))
  return jax.jit(lambda p, c, x: model.network.apply({'params': p}, x, c))


def outputs(case: Example, conditions: Conditions | None = None, frames=None) -> np.ndarray:
  """What the network says under other conditions, or of other frames; of a mixture, the means."""
  said = _outputs(case.model)(
    case.params, case.conditions if conditions is None else conditions, case.targets if frames is None else frames
  )
  return np.asarray(said.means if hasattr(said, 'means') else said)
