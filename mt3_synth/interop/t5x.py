"""Checkpoints written by T5X: the legacy form (msgpack and zarr) and Orbax's."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from flax import serialization, traverse_util

from mt3_synth.config import ModelConfig
from mt3_synth.errors import InputError
from mt3_synth.interop import names
from mt3_synth.interop.gin_text import read_gin_text
from mt3_synth.interop.t5x_config import model_config
from mt3_synth.models.pretrained import check_shapes, parameter_shapes, read_config
from mt3_synth.models.stored_arrays import array_names, read_arrays
from mt3_synth.notes.programs import Granularity

_OLDEST = 2  # of the legacy form's versions; the first kept no arrays beside the msgpack file
_TARGET = 'target.'


def find_checkpoint(folder: Path) -> Path | None:
  """The checkpoint that `folder` is, or the newest that it holds; None where there is none."""
  if (folder / 'checkpoint').is_file() or (folder / 'state').is_dir():
    return folder
  found = [each for each in folder.glob('checkpoint_*') if each.is_dir() and re.fullmatch(r'checkpoint_\d+', each.name)]
  return max(found, key=lambda each: int(each.name.rpartition('_')[2]), default=None)


def read_t5x(checkpoint: Path, programs: Granularity | None = None) -> tuple[ModelConfig, Any]:
  """The configuration and float32 parameters of a checkpoint folder.

  Args:
    checkpoint: with the file `checkpoint`, or the folder `state`; in it or one level up, config.json as `t5x_model` writes it, or the
      published system's config.gin.
    programs: how finely its training data told instruments apart; as that file says where None.

  Raises:
    InputError: the file is missing or describes what can't be run here, arrays are damaged or of another architecture.
  """
  checkpoint = checkpoint.absolute()
  config, described_by = _read_config(checkpoint, programs)
  arrays = _read_legacy(checkpoint) if (checkpoint / 'checkpoint').is_file() else _read_orbax(checkpoint / 'state')
  shapes = parameter_shapes(config)
  ours = names.renamed(shapes, names.to_t5x(config))
  check_shapes(
    {name: np.shape(x) for name, x in arrays.items()}, {name: shapes[own] for name, own in ours.items()}, checkpoint, described_by
  )
  return config, traverse_util.unflatten_dict({tuple(ours[name].split('/')): np.asarray(x, np.float32) for name, x in arrays.items()})


def _read_config(checkpoint: Path, programs: Granularity | None) -> tuple[ModelConfig, str]:
  """What a checkpoint is, and the name of the file that says so."""
  for file in (folder / name for folder in (checkpoint, checkpoint.parent) for name in ('config.json', 'config.gin')):
    if file.is_file():
      config = read_config(file) if file.suffix == '.json' else model_config(read_gin_text(file), programs)
      notes = dataclasses.replace(config.notes, programs=programs or config.notes.programs)
      return dataclasses.replace(config, notes=notes), file.name
  raise InputError(f'{checkpoint}: no config.gin in it or beside it; it tells the number of heads and more that weights do not')


def _read_legacy(checkpoint: Path) -> names.Arrays:
  file = checkpoint / 'checkpoint'
  try:
    content = serialization.msgpack_restore(file.read_bytes())
    version, target = content['version'], content['optimizer']['target']
  except (msgpack.exceptions.UnpackException, ValueError, KeyError, TypeError, OSError) as e:
    raise InputError(f'{file}: no checkpoint of T5X, or cut short ({type(e).__name__}: {e}); copy it again') from None
  if not isinstance(target, dict) or not isinstance(version, int) or version < _OLDEST:
    raise InputError(f'{file}: of version {version}, expected {_OLDEST} or later with parameters under optimizer/target')
  leaves = dict(_leaves(target, file))
  small = {name: leaf for name, leaf in leaves.items() if isinstance(leaf, np.ndarray)}
  # An array's own folder follows from its name: the paths in the file are not looked at.
  stored = read_arrays(checkpoint, [_TARGET + name for name in leaves if name not in small])
  return small | {name.removeprefix(_TARGET): x for name, x in stored.items()}


def _leaves(tree: dict, file: Path, above: str = '') -> Iterator[tuple[str, Any]]:
  """(name, array or description of a stored array)."""
  for name, each in tree.items():
    if not isinstance(name, str) or '/' in name:
      raise InputError(f'{file}: optimizer/target holds {above}{name}, which is no name of a parameter')
    if isinstance(each, dict) and not {'driver', 'kvstore'} <= each.keys():
      yield from _leaves(each, file, f'{above}{name}.')
    else:
      yield f'{above}{name}', each


def _read_orbax(state: Path) -> names.Arrays:
  stored = [name for name in array_names(state) if name.startswith(_TARGET)]
  if not stored:
    raise InputError(f'{state}: no checkpoint of T5X: there are no arrays named {_TARGET}...')
  return {name.removeprefix(_TARGET): x for name, x in read_arrays(state, stored).items()}
