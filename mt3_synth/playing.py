"""The walk along pieces: segment after segment, several pieces side by side, each as if it were alone."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from mt3_synth.audio.mel import unscale
from mt3_synth.config import ModelConfig
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.models.aligned import AlignedNotes
from mt3_synth.models.conditions import Conditions
from mt3_synth.notes import Notes, count_tokens, encode_segments, num_frames, song_events
from mt3_synth.notes.aligned import aligned_notes

TAIL_SECONDS = 1.0  # after the last note's end, for its sound to die away

Predict = Callable[[Conditions, jax.Array], Iterable[tuple[int, Any]]]


@dataclass(frozen=True)
class Score:
  """A piece as a model reads it.

  Attributes:
    frames: of the whole piece.
    size: token ids, or aligned notes, that its fullest segment takes.
    row: (segment, size) -> what the note encoder is told of it, without a batch axis.
    past: scaled mel [frames, D] that segments hear before them in place of what was played; nothing, where it has no frames.
  """

  frames: int
  size: int
  row: Callable[[int, int], Any]
  past: np.ndarray | None = None


class Progress(NamedTuple):
  """A segment as it is predicted after a step; whole after the last."""

  song: int
  segment: int
  step: int
  steps: int
  mel: np.ndarray  # [T, D] log-mel; a piece's last segment is cut to the piece's end


@dataclass
class _Slot:
  """A piece that is being played."""

  song: int
  context: np.ndarray  # [C, D] scaled
  segment: int = 0


def frame_count(notes: Notes, config: ModelConfig) -> int:
  """Frames of a piece, its last sound's dying away included."""
  return num_frames(notes.duration + TAIL_SECONDS, config.mel)


def score(notes: Notes, config: ModelConfig, strict: bool = False, total: int | None = None) -> Score:
  """What a model of `config` reads of a piece, each segment when it is asked for.

  Args:
    notes: the piece's.
    config: the model's.
    strict: see below.
    total: frames of the piece; `frame_count` where None.

  Raises:
    InputError: `strict`, and a segment has more notes than fit; else the faintest are left out with an InputWarning.
  """
  total = frame_count(notes, config) if total is None else total
  return (_token_score if config.network.conditioning == 'tokens' else _aligned_score)(notes, config, strict, total)


def _token_score(notes, config, strict, total):
  frames = config.network.target_frames
  events = song_events(notes, config.notes)
  longest = int(count_tokens(events, np.arange(0, total, frames), frames, mel=config.mel).max())
  too_long = 'error' if strict else 'thin'

  def row(segment, size):
    start = np.array([segment * frames])
    return encode_segments(events, start, frames, length=size, too_long=too_long, mel=config.mel)[0]

  return Score(total, _bucket(longest, config), row)


def _aligned_score(notes, config, strict, total):
  frames = config.network.target_frames
  cut = partial(aligned_notes, notes, frames=frames, config=config.notes, mel=config.mel)
  with warnings.catch_warnings():  # of notes left out: when they are, segment after segment
    warnings.simplefilter('error' if strict else 'ignore', InputWarning)
    try:
      size = max(len(cut(start)['mask']) for start in range(0, total, frames))
    except InputWarning as e:
      raise InputError(f'{e}; let notes be left out, or give a piece with fewer at a time') from None

  def row(segment, size):
    columns: Any = cut(segment * frames, size=size)
    return AlignedNotes(**columns)

  return Score(total, size, row)


def score_of_rows(rows: np.ndarray, config: ModelConfig) -> Score:
  """A piece given as token rows [segments, N], as `MidiProcessor` makes them: whole segments, without a tail.

  Raises:
    InputError: an id is outside the vocabulary, or a row is longer than the model reads.
  """
  network = config.network
  if rows.size and not 0 <= rows.min() <= rows.max() < network.vocab_size:
    raise InputError(f'tokens: ids {rows.min()} to {rows.max()}, expected 0 to {network.vocab_size - 1}; are they of another codec?')
  longest = int(((rows > 0) * np.arange(1, rows.shape[1] + 1)).max())
  if longest > network.note_length:
    raise InputError(f'tokens: a row has {longest} tokens, the model reads {network.note_length}; give shorter segments')
  fit = lambda row, size: np.pad(row[:size], (0, max(size - len(row), 0))).astype(np.int32)
  return Score(len(rows) * network.target_frames, _bucket(longest, config), lambda segment, size: fit(rows[segment], size))


def _bucket(longest: int, config: ModelConfig) -> int:
  return min((length for length in config.network.token_buckets if longest <= length), default=config.network.note_length)


def play(
  predict: Predict, steps: int, scores: Sequence[Score], keys: Sequence[jax.Array], config: ModelConfig, batch_size: int
) -> Iterator[Progress]:
  """Plays pieces, up to `batch_size` at a time; when one ends, the next takes its place.

  A segment's noise depends on its piece's key and its number only, and no row of a batch on the others: to rounding, each piece is what it
  is alone.  Memory does not grow with the pieces' lengths.

  Args:
    predict: (conditions of B segments, keys [B]) -> (step, scaled mel [B, T, D]) of some steps, `steps` last: that is the result.
    steps: of a segment.
    scores: of the pieces.
    keys: of jax.random, one for each piece.
    config: the model's.
    batch_size: at most so many segments at a time.

  Yields:
    What was predicted, for each piece that is being played; a piece's segments in order.
  """
  network = config.network
  size = max(each.size for each in scores)  # one for all, so that few programs are compiled
  waiting, slots = deque(range(len(scores))), []
  while slots or waiting:
    while waiting and len(slots) < batch_size:
      slots.append(_Slot(waiting.popleft(), np.zeros((network.context_frames, network.mel_bands), np.float32)))
    for step, scaled in predict(*_batch(slots, scores, keys, size, network)):
      for slot, mel in zip(slots, np.asarray(scaled), strict=False):
        left = scores[slot.song].frames - slot.segment * network.target_frames
        yield Progress(slot.song, slot.segment, step, steps, np.asarray(unscale(mel, config.mel))[:left])
        if step == steps:
          slot.segment += 1
          slot.context = np.concatenate([slot.context, mel])[len(mel) :]
    slots = [slot for slot in slots if slot.segment * network.target_frames < scores[slot.song].frames]


def _batch(slots, scores, keys, size, network) -> tuple[Conditions, jax.Array]:
  """Conditions and keys of each slot's next segment; rows up to a power of two, of which few programs are compiled, repeat the last."""
  missing = (1 << (len(slots) - 1).bit_length()) - len(slots)
  stack = lambda *rows: np.stack(rows + rows[-1:] * missing)
  notes = jax.tree.map(stack, *(scores[slot.song].row(slot.segment, size) for slot in slots))
  noise = [jax.random.fold_in(keys[slot.song], slot.segment) for slot in slots]
  conditions = Conditions(notes)
  if network.context_frames:
    contexts, heard = zip(*(_heard(slot, scores[slot.song].past, network) for slot in slots), strict=True)
    conditions = Conditions(notes, stack(*contexts), stack(*heard))
  return conditions, jax.numpy.stack(noise + noise[-1:] * missing)


def _heard(slot, past, network) -> tuple[np.ndarray, np.ndarray]:
  """What a slot's next segment hears before it, [C, D], and which frames of it count, [C]."""
  context = slot.context
  if past is not None:
    end = slot.segment * network.target_frames
    before = past[max(end - network.context_frames, 0) : end]
    context = np.pad(before, ((network.context_frames - len(before), 0), (0, 0)))
  counts = slot.segment > 0 and (past is None or len(past) > 0)
  return context, np.full(network.context_frames, counts, np.int32)
