"""A list of notes as columns: the form every reader gives and every encoder takes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from mt3_synth.errors import InputError


@dataclass(frozen=True, eq=False)
class Notes:
  """Notes of a piece, one a row.  All arrays are [M].

  Attributes:
    onset: when the note starts, in seconds, float64.
    offset: when it ends, in seconds, never before `onset`, float64.  The sustain pedal is already applied.
    pitch: MIDI note number 0-127, int32; for drums the number of the drum.
    velocity: MIDI velocity 1-127, int32.
    program: General MIDI program 0-127, int32; 0 for drums unless the source says otherwise.
    is_drum: bool.

  Raises:
    InputError: lengths differ, a time is not finite, a note ends before it starts, or a number is out of range.
  """

  onset: np.ndarray
  offset: np.ndarray
  pitch: np.ndarray
  velocity: np.ndarray
  program: np.ndarray
  is_drum: np.ndarray

  def __post_init__(self):
    for field, dtype in _DTYPES.items():
      object.__setattr__(self, field, np.asarray(getattr(self, field), dtype).reshape(-1))
    lengths = {field: len(getattr(self, field)) for field in _DTYPES}
    if len(set(lengths.values())) > 1:
      raise InputError(f'notes: columns differ in length, {lengths}; give one value a note in each')
    # One look at all for the many that are well; the sum of finite times is finite, and a number in range has no bit above the seventh.
    well = np.isfinite(self.onset.sum() + self.offset.sum()) and (self.offset >= self.onset).all()
    if well and not ((self.pitch | self.velocity | self.program) >> 7).any():
      return
    self._check('time that is not finite', ~np.isfinite(self.onset + self.offset), self.onset)
    self._check('end before its start', self.offset < self.onset, self.offset)
    for field in ('pitch', 'velocity', 'program'):
      values = getattr(self, field)
      self._check(f'{field} outside 0-127', (values < 0) | (values > 127), values)

  def _check(self, what, bad, values):
    if bad.any():
      first = int(np.argmax(bad))
      raise InputError(f'notes: note {first} has a {what} ({values[first]}), as have {int(bad.sum()) - 1} others; mend or leave them out')

  @classmethod
  def empty(cls) -> 'Notes':
    return cls.from_rows([])

  @classmethod
  def from_rows(cls, rows: Iterable[Sequence[float]]) -> 'Notes':
    """Notes from (onset, offset, pitch[, velocity[, program[, is_drum]]]) rows; velocity 100, program 0, no drum where left out."""
    full = [(*row, *(100, 0, False)[len(row) - 3 :]) for row in rows]
    columns = zip(*full, strict=True) if full else [[]] * len(_DTYPES)
    return cls(*(np.asarray(column) for column in columns))

  def __len__(self) -> int:
    return len(self.onset)

  def __eq__(self, other: object) -> bool:
    return isinstance(other, Notes) and all(np.array_equal(getattr(self, f), getattr(other, f)) for f in _DTYPES)

  __hash__ = None  # pyright: ignore[reportAssignmentType]

  @property
  def duration(self) -> float:
    """When the last note ends, in seconds; 0 without notes."""
    return float(self.offset.max()) if len(self) else 0.0

  def select(self, which: np.ndarray) -> 'Notes':
    """The notes a mask [M] or an array of indices names, in that order."""
    return Notes(*(getattr(self, field)[which] for field in _DTYPES))

  def sorted(self) -> 'Notes':
    """By onset, then drums last, program, pitch; stable."""
    return self.select(np.lexsort((self.pitch, self.program, self.is_drum, self.onset)))

  def shift(self, seconds: float) -> 'Notes':
    """Every note later by `seconds`; onsets may become negative."""
    return replace(self, onset=self.onset + seconds, offset=self.offset + seconds)

  def crop(self, start: float, end: float) -> 'Notes':
    """The notes that sound in [start, end) seconds, cut to it; times count from `start`."""
    inside = self.select((self.onset < end) & ((self.offset > start) | (self.onset >= start)))
    return replace(inside, onset=np.clip(inside.onset, start, end) - start, offset=np.clip(inside.offset, start, end) - start)

  def trim_overlaps(self) -> 'Notes':
    """Ends each note where the same (program, is_drum, pitch) starts again; of notes struck together the longest stays, others go.

    Returns the notes sorted as `sorted` does.
    """
    order = np.lexsort((self.offset, self.onset, self.pitch, self.program, self.is_drum))
    notes = self.select(order)
    same = _same_key(notes)
    offset = notes.offset.copy()
    offset[:-1] = np.where(same, np.minimum(offset[:-1], notes.onset[1:]), offset[:-1])
    together = np.zeros(len(notes), bool)
    together[:-1] = same & (notes.onset[:-1] == notes.onset[1:])
    return replace(notes, offset=offset).select(~together).sorted()


def concatenate(parts: Iterable[Notes]) -> Notes:
  """All notes of `parts`, in order."""
  parts = list(parts)
  if not parts:
    return Notes.empty()
  return Notes(*(np.concatenate([getattr(part, field) for part in parts]) for field in _DTYPES))


def _same_key(notes: Notes) -> np.ndarray:
  """[M-1]: whether a note and the next share program, is_drum and pitch."""
  return np.logical_and.reduce([getattr(notes, f)[1:] == getattr(notes, f)[:-1] for f in ('pitch', 'program', 'is_drum')])


_DTYPES = dict(
  zip(
    (field.name for field in fields(Notes)),
    (np.float64, np.float64, np.int32, np.int32, np.int32, np.bool_),
    strict=True,
  )
)
