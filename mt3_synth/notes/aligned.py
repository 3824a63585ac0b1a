"""Aligned notes: the notes of a segment as numbers, where each sounds told in frames instead of tokens."""

import warnings
from collections.abc import Sequence

import numpy as np

from mt3_synth.config import MelConfig, NotesConfig
from mt3_synth.errors import InputWarning
from mt3_synth.notes.note_list import Notes
from mt3_synth.notes.programs import map_programs

BUCKETS = (64, 128, 256, 512)
DRUM_PROGRAM = 128
DRUM_PITCH = 128  # + the drum's number
LEAD_FRAMES = 150  # 3 s: the release tail of a struck string

_PADDING = {'onset': np.float32, 'offset': np.float32, 'pitch': np.int32, 'program': np.int32, 'velocity': np.float32, 'mask': np.bool_}


def bucket_of(count: int, buckets: Sequence[int] = BUCKETS) -> int:
  """The smallest bucket that holds `count` notes, or the largest there is."""
  return min((bucket for bucket in buckets if bucket >= count), default=max(buckets))


def aligned_notes(
  notes: Notes,
  start_frame: int,
  frames: int,
  config: NotesConfig,
  *,
  lead_frames: int = LEAD_FRAMES,
  size: int | None = None,
  mel: MelConfig | None = None,
) -> dict[str, np.ndarray]:
  """The notes that sound in a window or ended shortly before it.

  Args:
    notes: the piece.  Cheap for each crop: a few comparisons over its columns.
    start_frame: first frame of the window.
    frames: its length, T.
    config: its granularity of programs counts; velocities stay fine.
    lead_frames: how long before the window a note may have ended (a drum: have been hit) and still be told of.
    size: M, rows to return; the smallest of `BUCKETS` that holds the notes where None.
    mel: what a frame is; the defaults where None.

  Returns:
    Columns [M], notes first, in order of onset, then zeros:
      onset, offset: float32, in frames from the window's start, fractions kept; may lie outside [0, T).
      pitch: int32, 0-127; drums `DRUM_PITCH` + their number.
      program: int32, 0-127; drums `DRUM_PROGRAM`.
      velocity: float32 in [0, 1].
      mask: bool, True for a note.

  Warns:
    InputWarning: more notes than rows.  Notes that only ring on go first, the longest ended first, then the quietest, of equal velocity
      the shortest.
  """
  mel = mel or MelConfig()
  rate = mel.frames_per_second
  first, last = (start_frame - lead_frames) / rate, (start_frame + frames) / rate
  chosen = np.flatnonzero((notes.onset < last) & ((notes.offset > first) | (notes.onset >= first)))
  room = bucket_of(len(chosen)) if size is None else size
  if len(chosen) > room:
    warnings.warn(
      f'notes: {len(chosen)} notes in the {frames} frames from frame {start_frame}, room is for {room}: '
      f'{len(chosen) - room} are left out, those that only ring on, then the quietest',
      InputWarning,
      stacklevel=2,
    )
    chosen = _most_relevant(notes, chosen, start_frame / rate, room)
  chosen = chosen[np.argsort(notes.onset[chosen], kind='stable')]
  drum = notes.is_drum[chosen]
  columns = {
    'onset': notes.onset[chosen] * rate - start_frame,
    'offset': notes.offset[chosen] * rate - start_frame,
    'pitch': notes.pitch[chosen] + DRUM_PITCH * drum,
    'program': np.where(drum, DRUM_PROGRAM, map_programs(notes.program[chosen], config.programs)),
    'velocity': notes.velocity[chosen] / 127,
    'mask': np.ones(len(chosen), bool),
  }
  return {name: np.pad(columns[name].astype(dtype), (0, room - len(chosen))) for name, dtype in _PADDING.items()}


def _most_relevant(notes, chosen, start, room):
  onset, offset = notes.onset[chosen], notes.offset[chosen]
  ended = np.maximum(start - np.maximum(offset, onset), 0)  # seconds before the window, 0 for what sounds in it
  order = np.lexsort((onset - offset, -notes.velocity[chosen], ended))
  return chosen[order[:room]]
