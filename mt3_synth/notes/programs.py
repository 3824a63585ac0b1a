"""How finely instruments are told apart: General MIDI programs 0-127 to fewer."""

from typing import Literal

import numpy as np

from mt3_synth.errors import InputError

Granularity = Literal['flat', 'midi_class', 'full', 'slakh_classes']

# The programs of the published multi-instrument checkpoints; each stands for itself and those up to the next.
SLAKH_CLASSES = (
  *(0, 4, 8, 16, 24, 26, 29, 32, 33, 40, 41, 42, 43, 46, 47, 48, 50, 52, 55, 56, 57, 58, 60, 61),
  *(64, 66, 67, 68, 69, 70, 71, 73, 80, 88),
)

_ALL = np.arange(128, dtype=np.int32)
_CLASSES = np.array(SLAKH_CLASSES, np.int32)
_TABLES: dict[str, np.ndarray] = {
  'flat': np.zeros(128, np.int32),
  'midi_class': _ALL // 8 * 8,
  'full': _ALL,
  'slakh_classes': _CLASSES[np.searchsorted(_CLASSES, _ALL, 'right') - 1],
}


def map_programs(programs: np.ndarray, granularity: Granularity) -> np.ndarray:
  """Programs [...] reduced, int32 [...].

  `flat`: all 0 (and no program tokens are written); `midi_class`: the first of its family of eight; `full`: as they are;
  `slakh_classes`: the largest of `SLAKH_CLASSES` not above.

  Raises:
    InputError: an unknown granularity.
  """
  if granularity not in _TABLES:
    raise InputError(f'notes: programs is {granularity!r}, expected one of {", ".join(_TABLES)}')
  return _TABLES[granularity][programs]
