"""Which crops training and evaluation take of the songs of a corpus: the one definition, in numpy, for every loader.

A *visit* is a piece in which targets start, together with what its examples need before and after it (`pieces_around`).  An epoch visits
each such piece once; from one visit come one or more crops, their targets starting anywhere in the piece.
"""

import threading
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from mt3_synth.data.examples import Crops
from mt3_synth.data.pieces import PIECE_FRAMES
from mt3_synth.errors import InputError, InputWarning

# Of the crops of a song's first piece, the share that starts with the song: only those have no context, as a song's first segment has none.
FIRST_SEGMENT_SHARE = 0.5

TooLong = Literal['thin', 'drop']

_quiet = threading.Lock()


class Visits:
  """The visits of an epoch, in the order of the songs: (song, piece of the song).

  A song is visited in each piece in which a whole target can start, and in its first piece if it is shorter than a target.

  Attributes:
    song_frames: int64 [songs], at least 1.
    target_frames: T.
  """

  def __init__(self, song_frames: Sequence[int] | np.ndarray, target_frames: int):
    self.song_frames = np.asarray(song_frames, np.int64)
    self.target_frames = target_frames
    self.first = np.concatenate([[0], np.cumsum(last_start(self.song_frames, target_frames) // PIECE_FRAMES + 1)])

  def __len__(self) -> int:
    return int(self.first[-1])

  def __getitem__(self, index: int) -> tuple[int, int]:
    if not 0 <= index < len(self):
      raise IndexError(f'visit {index} of {len(self)}')
    song = int(np.searchsorted(self.first, index, 'right')) - 1
    return song, int(index - self.first[song])


def last_start(song_frames, target_frames: int):
  """The last frame at which a whole target can start; 0 in a song shorter than one.  An int, or int64 [...] as `song_frames` is."""
  return np.maximum(song_frames - target_frames, 0)


def generator(seed: int, *numbers: int) -> np.random.Generator:
  """Draws that depend on these numbers (not negative) and on nothing else."""
  return np.random.default_rng((seed, *numbers))


def draw_starts(rng: np.random.Generator, piece: int, song_frames: int, target_frames: int, count: int = 1) -> np.ndarray:
  """Where the targets of one visit's crops start.

  Args:
    rng: of `generator`, or of any seed.
    piece: which one of its song is visited, one of `Visits`.
    song_frames: length of the song.
    target_frames: T.
    count: crops a visit.

  Returns:
    int64 [count], frames of the song: uniform among those of the piece from which a whole target fits into the song; in a song's first
    piece frame 0 with probability `FIRST_SEGMENT_SHARE` beforehand.
  """
  low = piece * PIECE_FRAMES
  high = min(low + PIECE_FRAMES - 1, int(last_start(song_frames, target_frames)))
  if high < low:
    raise InputError(f'no target of {target_frames} frames starts in piece {piece} of a song of {song_frames} frames')
  starts = rng.integers(low, high, count, endpoint=True)
  return np.where(rng.random(count) < FIRST_SEGMENT_SHARE, 0, starts) if piece == 0 else starts


def consecutive_starts(song_frames: int, target_frames: int) -> np.ndarray:
  """Where the segments of a whole song start, int64 [segments]: one after the other, the last one reaching over its end."""
  return np.arange(0, max(song_frames, 1), target_frames, dtype=np.int64)


def draw_example(crops: Crops, start: int, too_long: TooLong = 'thin') -> dict[str, Any]:
  """The training example whose target starts at frame `start`, in silence about notes that do not fit.

  Args:
    crops: of the excerpt around it.
    start: of `draw_starts`.
    too_long: what to do with more tokens than `note_length`: 'thin' leaves out the faintest notes; 'drop' gives an example without tokens,
      not even the end of the row, and with `frames` 0, so that it has no part in a loss; `dropped` counts those.  Aligned notes are
      always thinned.

  Returns:
    the arrays of `Crops.crop`.
  """
  if crops.events is not None:
    example = crops.crop(start, 'drop')
    if example['notes'][0]:
      return example
    if too_long == 'drop':
      return example | {'frames': np.int32(0)}
  with _quiet, warnings.catch_warnings():  # filters are the whole process's: one thread at a time
    warnings.simplefilter('ignore', InputWarning)
    return crops.crop(start)


def dropped(batch: dict[str, Any]) -> int:
  """How many examples of a batch [B, ...] `draw_example` has dropped."""
  return int((batch['frames'] == 0).sum())
