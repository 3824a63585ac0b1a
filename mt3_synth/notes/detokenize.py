"""Token rows -> notes: what a model was told, for listening and for tests."""

import warnings

import numpy as np

from mt3_synth.config import MelConfig, NotesConfig
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes.codec import EOS, PAD, SPECIAL_IDS, Codec, bin_to_velocity, frame_to_step
from mt3_synth.notes.note_list import Notes

_SHIFT, _PITCH, _VELOCITY, _TIE, _PROGRAM, _DRUM = range(6)


def decode_segments(
  rows: np.ndarray, config: NotesConfig, frames: int = 256, *, start_frame: int = 0, mel: MelConfig | None = None
) -> Notes:
  """The notes that consecutive segments tell.

  Exact up to the grid of steps, the velocity bins (a bin gives its largest velocity) and a minimum duration of one step, which drums
  have too, and all notes where there are onsets only.  A tie section names the notes that go on: sounding notes it doesn't name end where
  the segment starts; a note it names that didn't sound starts there, at full velocity.  Notes that still sound at the end stop at the last
  event.

  Args:
    rows: int [S, N], or [N] for one, ids as written by `encode_segments`; a row ends at EOS or PAD.
    config: as at encoding.
    frames: frames of each segment.
    start_frame: the first segment's start.
    mel: what a frame is; the defaults where None.

  Returns:
    The notes, sorted by onset.

  Raises:
    InputError: an id is outside the vocabulary.

  Warns:
    InputWarning: tokens without sense there (an off of a note that doesn't sound, a drum with velocity 0) were passed over.
  """
  codec = Codec(config)
  rows = np.atleast_2d(np.asarray(rows))
  if rows.size and (rows.min() < 0 or rows.max() >= codec.vocab_size):
    raise InputError(
      f'tokens: ids {rows.min()} to {rows.max()}, expected 0 to {codec.vocab_size - 1}; are the velocity bins the right ones?'
    )
  kinds = np.searchsorted(codec.starts, rows, 'right') - 1
  values = rows - codec.starts[np.clip(kinds, 0, 5)]
  known = (rows >= SPECIAL_IDS) & (kinds < 6)
  reader = _Reader(config)
  starts = frame_to_step(start_frame + frames * np.arange(len(rows)), config, mel or MelConfig())
  for row, kind, value, fine, start in zip(rows, kinds.tolist(), values.tolist(), known.tolist(), starts.tolist(), strict=True):
    stop = np.flatnonzero((row == EOS) | (row == PAD))
    length = int(stop[0]) if len(stop) else len(row)
    reader.start_row(start)
    for k, v, ok in zip(kind[:length], value[:length], fine[:length], strict=True):
      reader.read(k if ok else None, v)
  reader.finish()
  if reader.senseless:
    warnings.warn(f'tokens: {reader.senseless} tokens have no sense where they stand and were passed over', InputWarning, stacklevel=2)
  second = 1 / config.steps_per_second
  onset, offset, pitch, velocity, program, drum = np.array(reader.rows, np.int64).reshape(-1, 6).T
  velocity = bin_to_velocity(velocity, config.velocity_bins)
  return Notes(onset * second, offset * second, pitch, velocity, program, drum.astype(bool)).sorted()


class _Reader:
  """Rows so far: [onset, offset, pitch, velocity bin, program, is_drum], times in steps."""

  def __init__(self, config: NotesConfig):
    self.config = config
    self.rows = []
    self.sounding = {}  # (program, pitch) -> (onset, velocity bin)
    self.senseless = 0
    self.start = self.time = self.program = 0

  def start_row(self, start):
    self.start = self.time = start
    self.program = 0
    self.velocity = self.config.velocity_bins
    self.shift = 0
    self.tied = set() if self.config.ties else None

  def read(self, kind, value):
    if kind != _SHIFT:
      self.shift = 0
    if kind == _SHIFT:
      self.shift += value  # a shift longer than one token is written as several
      self.time = self.start + self.shift
    elif kind == _PROGRAM:
      self.program = value
    elif kind == _VELOCITY:
      self.velocity = value
    elif kind == _TIE and self.tied is not None:
      for key in set(self.sounding) - self.tied:
        self._end(key)
      self.tied = None
    elif kind == _PITCH and self.tied is not None:
      self.tied.add((self.program, value))
      self.sounding.setdefault((self.program, value), (self.start, self.config.velocity_bins))
    elif kind == _PITCH and self.config.onsets_only:
      self.rows.append((self.time, self.time + 1, value, self.velocity, 0, 0))
    elif kind == _PITCH and (self.velocity or (self.program, value) in self.sounding):
      self._end((self.program, value))
      if self.velocity:
        self.sounding[self.program, value] = (self.time, self.velocity)
    elif kind == _DRUM and self.velocity:
      self.rows.append((self.time, self.time + 1, value, self.velocity, 0, 1))
    else:
      self.senseless += 1

  def _end(self, key):
    if key in self.sounding:
      onset, velocity = self.sounding.pop(key)
      program, pitch = key
      self.rows.append((onset, max(self.time, onset + 1), pitch, velocity, program, 0))

  def finish(self):
    for key in list(self.sounding):
      self._end(key)
