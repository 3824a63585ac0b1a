"""Token ids: which range means what (MT3, ISMIR 2022, section 3.1), and the grid of time."""

import math
from dataclasses import dataclass

import numpy as np

from mt3_synth.config import MelConfig, NotesConfig
from mt3_synth.errors import InputError

PAD, EOS, UNK = 0, 1, 2
SPECIAL_IDS = 3
SPARE_IDS = 100  # at the end of the vocabulary, unused; the published tables have them
_TABLE_MULTIPLE = 128  # rows of the embedding table, so that it divides over devices


@dataclass(frozen=True)
class Codec:
  """Ids of event tokens under a configuration.  Each attribute is the first id of its range.

  shift + steps, pitch + 0-127, velocity + bin (0 is off), tie, program + 0-127, drum + 0-127.
  """

  config: NotesConfig

  def __post_init__(self):
    config = self.config
    if config.steps_per_second < 1 or config.max_shift_steps < 1 or not 1 <= config.velocity_bins <= 127:
      raise InputError(
        f'notes: steps_per_second {config.steps_per_second}, max_shift_steps {config.max_shift_steps}, velocity_bins '
        f'{config.velocity_bins}; expected at least 1 each, and at most 127 bins'
      )
    if config.onsets_only and config.ties:
      raise InputError('notes: onsets_only is True and ties is True; onsets have no ends to tie, give ties = False')

  @property
  def shift(self) -> int:
    return SPECIAL_IDS

  @property
  def pitch(self) -> int:
    return self.shift + self.config.max_shift_steps + 1

  @property
  def velocity(self) -> int:
    return self.pitch + 128

  @property
  def tie(self) -> int:
    return self.velocity + self.config.velocity_bins + 1

  @property
  def program(self) -> int:
    return self.tie + 1

  @property
  def drum(self) -> int:
    return self.program + 128

  @property
  def event_classes(self) -> int:
    return self.drum + 128 - SPECIAL_IDS

  @property
  def vocab_size(self) -> int:
    """All ids, spare ones too: 1491 with 1 velocity bin, 1617 with 127."""
    return SPECIAL_IDS + self.event_classes + SPARE_IDS

  @property
  def table_size(self) -> int:
    """Rows of the embedding table: 1536 with 1 velocity bin, 1664 with 127."""
    return -(-self.vocab_size // _TABLE_MULTIPLE) * _TABLE_MULTIPLE

  @property
  def starts(self) -> np.ndarray:
    """First ids of shift, pitch, velocity, tie, program, drum, and the first id after them, int [7]."""
    return np.array([self.shift, self.pitch, self.velocity, self.tie, self.program, self.drum, self.drum + 128])


def velocity_to_bin(velocity: np.ndarray, bins: int) -> np.ndarray:
  """MIDI velocities 0-127 [...] to bins 0-`bins` [...]; only 0 gives 0."""
  return -(-np.asarray(velocity) * bins // 127)


def bin_to_velocity(index: np.ndarray, bins: int) -> np.ndarray:
  """The largest MIDI velocity of each bin [...]."""
  return 127 * np.asarray(index) // bins


def time_to_step(seconds: np.ndarray, config: NotesConfig) -> np.ndarray:
  """Seconds [...] to steps of the grid, rounded half to even, int64 [...]."""
  return np.rint(np.asarray(seconds) * config.steps_per_second).astype(np.int64)


def frame_to_step(frame: np.ndarray, config: NotesConfig, mel: MelConfig) -> np.ndarray:
  """The first step not before a frame starts, int64 [...]; 2 steps a frame with the defaults."""
  return -(-np.asarray(frame, np.int64) * config.steps_per_second * mel.hop // mel.sample_rate)


def num_frames(seconds: float, mel: MelConfig | None = None) -> int:
  """Frames of a piece of `seconds`: one more than fit whole, so 12 s, 600 hops, have 601."""
  mel = mel or MelConfig()
  return math.floor(seconds * mel.sample_rate) // mel.hop + 1
