"""What a corpus holds: hours, notes, instruments, polyphony, tokens a segment."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mt3_synth.config import NotesConfig
from mt3_synth.data.pieces import frames_of
from mt3_synth.data.songs import Song
from mt3_synth.notes import count_tokens, song_events

DRUMS = 128  # beside the programs 0-127


@dataclass
class Statistics:
  """Sums over songs; `+=` joins two.

  Attributes:
    songs, seconds, notes: how many.
    sounding: seconds in which at least one note sounds.
    note_seconds: of all notes together; divided by `sounding`, the mean polyphony.
    most_at_once: the highest polyphony anywhere.
    of_program: notes of each program, DRUMS for drums.
    tokens: how many segments have so many tokens.
    licences: how many songs stand under each.
  """

  songs: int = 0
  seconds: float = 0.0
  notes: int = 0
  sounding: float = 0.0
  note_seconds: float = 0.0
  most_at_once: int = 0
  of_program: Counter = field(default_factory=Counter)
  tokens: Counter = field(default_factory=Counter)
  licences: Counter = field(default_factory=Counter)

  def __iadd__(self, other: 'Statistics') -> 'Statistics':
    for name in ('songs', 'seconds', 'notes', 'sounding', 'note_seconds'):
      setattr(self, name, getattr(self, name) + getattr(other, name))
    self.most_at_once = max(self.most_at_once, other.most_at_once)
    for name in ('of_program', 'tokens', 'licences'):
      getattr(self, name).update(getattr(other, name))
    return self

  @property
  def polyphony(self) -> float:
    """Notes at once, on average over the time in which any sounds."""
    return self.note_seconds / self.sounding if self.sounding else 0.0

  def share_longer(self, tokens: int) -> float:
    """Share of segments with more tokens."""
    return sum(count for length, count in self.tokens.items() if length > tokens) / max(sum(self.tokens.values()), 1)

  def token_percentile(self, percent: float) -> int:
    """The number of tokens that `percent` of the segments do not exceed."""
    lengths = sorted(self.tokens)
    reached = np.cumsum([self.tokens[length] for length in lengths])
    return lengths[int(np.searchsorted(reached, percent / 100 * reached[-1]))] if lengths else 0


def statistics(song: Song, frames: int = 256, config: NotesConfig | None = None) -> Statistics:
  """The statistics of one song.

  Args:
    song: its drums count as notes, but not as sounding: they have no end.
    frames: of a segment.
    config: how notes become tokens; the defaults where None.
  """
  notes = song.notes
  pitched = notes.select(~notes.is_drum)
  sounding, most = _polyphony(pitched.onset, pitched.offset)
  lengths = count_tokens(song_events(notes, config or NotesConfig()), np.arange(0, frames_of(len(song.audio)), frames), frames)
  return Statistics(
    songs=1,
    seconds=len(song.audio) / 16000,
    notes=len(notes),
    sounding=sounding,
    note_seconds=float((pitched.offset - pitched.onset).sum()),
    most_at_once=most,
    of_program=Counter(np.where(notes.is_drum, DRUMS, notes.program).tolist()),
    tokens=Counter(lengths.tolist()),
    licences=Counter([song.licence or 'not said']),
  )


def total(each: Iterable[Statistics]) -> Statistics:
  """The sum of many."""
  result = Statistics()
  for one in each:
    result += one
  return result


def _polyphony(onset: np.ndarray, offset: np.ndarray) -> tuple[float, int]:
  """Seconds with at least one note, and the most notes at once; a note that ends where another begins does not sound with it."""
  if not len(onset):
    return 0.0, 0
  time = np.concatenate([onset, offset])
  change = np.repeat([1, -1], len(onset))
  order = np.lexsort((change, time))
  at_once = np.cumsum(change[order])
  return float(np.diff(time[order])[at_once[:-1] > 0].sum()), int(at_once.max())
