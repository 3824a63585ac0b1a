"""Recordings in musicnet.npz: pickles, of which only what MusicNet has in them is ever built.

Unpickling may run whatever a file says.  Here a pickle can name arrays and interval trees and nothing else; what it says of a tree becomes
tuples.
"""

import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.corpus import SongError
from mt3_synth.errors import InputError

_ALLOWED = {
  ('numpy.core.multiarray', '_reconstruct'): np.empty((0,)).__reduce__()[0],
  ('numpy._core.multiarray', '_reconstruct'): np.empty((0,)).__reduce__()[0],
  ('numpy', 'ndarray'): np.ndarray,
  ('numpy', 'dtype'): np.dtype,
  ('intervaltree.intervaltree', 'IntervalTree'): list,
  ('intervaltree.interval', 'Interval'): lambda *interval: interval,
}


def recordings(file: Path) -> list[str]:
  """Ids of the recordings in the file.

  Raises:
    InputError: it is no npz file.
  """
  try:
    with zipfile.ZipFile(file) as archive:
      return sorted(name.removesuffix('.npy') for name in archive.namelist() if name.endswith('.npy'))
  except (OSError, zipfile.BadZipFile) as e:
    raise InputError(f'{file}: no npz file ({e}); fetch it again') from None


def read_recording(file: Path, id: str) -> tuple[np.ndarray, Sequence[tuple[int, int, Sequence[Any]]]]:
  """Samples [S] and (start, end, label) of each note, in samples; a label begins with the instrument and the note.

  Raises:
    SongError: the entry holds something else.
  """
  try:
    with zipfile.ZipFile(file) as archive, archive.open(f'{id}.npy') as entry:
      if np.lib.format.read_magic(entry) == (1, 0):
        np.lib.format.read_array_header_1_0(entry)
      else:
        np.lib.format.read_array_header_2_0(entry)
      audio, labels = _Unpickler(entry, encoding='latin1').load()
      return np.asarray(audio, np.float32).reshape(-1), labels
  except (OSError, KeyError, EOFError, ValueError, TypeError, AttributeError, IndexError, zipfile.BadZipFile, pickle.UnpicklingError) as e:
    raise SongError('damaged record', f'{file}: {id}: no recording with its labels ({type(e).__name__}: {e}); fetch it again') from None


class _Unpickler(pickle.Unpickler):
  def find_class(self, module: str, name: str) -> Any:
    try:
      return _ALLOWED[module, name]
    except KeyError:
      raise pickle.UnpicklingError(f'names {module}.{name}, which MusicNet does not') from None
