"""Arrays as Orbax and T5X store them: zarr, each array in a folder of its own or all in one OCDBT database."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import tensorstore as ts

from mt3_synth.errors import InputError

_METADATA = '/.zarray'


def array_names(folder: Path) -> list[str]:
  """The names of the arrays in `folder`, parts joined by dots as in `target.decoder.decoder_norm.scale`.

  Raises:
    InputError: the database's index is damaged.
  """
  store = _store(folder)
  if store['driver'] == 'file':
    return sorted(path.parent.name for path in folder.glob('*' + _METADATA))
  try:
    keys = ts.KvStore.open(store).result().list().result()
  except ValueError as e:
    raise _damaged(folder, e) from None
  return sorted(key.decode().removesuffix(_METADATA) for key in keys if key.endswith(_METADATA.encode()))


def read_arrays(folder: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
  """The arrays of these names in `folder`, read side by side.

  Raises:
    InputError: one is missing, or cut short.
  """
  reading = {name: _open(folder, name) for name in names}
  arrays = {}
  try:
    opened = {name: each.result().read() for name, each in reading.items()}
    for name, each in opened.items():
      array = each.result()
      # The second version of T5X's format keeps the bits of bfloat16 as integers.
      arrays[name] = array.view(ml_dtypes.bfloat16) if array.dtype == np.uint16 else array
  except ValueError as e:
    raise _damaged(folder, e) from None
  return arrays


def _store(folder: Path) -> dict[str, Any]:
  if (folder / 'manifest.ocdbt').exists():
    return {'driver': 'ocdbt', 'base': folder.absolute().as_uri() + '/'}
  return {'driver': 'file', 'path': f'{folder.absolute()}/'}


def _open(folder: Path, name: str):
  store = _store(folder)
  spec = {
    'driver': 'zarr',
    'kvstore': store | {'path': f'{store.get("path", "")}{name}/'},
    'fill_missing_data_reads': False,  # a lost piece of an array is a fault, not zeros
  }
  return ts.open(spec, open=True, read=True)


def _damaged(folder: Path, error: Exception) -> InputError:
  return InputError(f'{folder}: damaged ({" ".join(str(error).split())[:200]})')
