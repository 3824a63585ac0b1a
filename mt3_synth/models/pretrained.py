"""Models on disk: a folder with `config.json` and `model.safetensors`, or the folder of a training run.

A folder of its own is small (no optimiser, float16) and needs nothing but numpy to read; a run's folder gives the averaged parameters
of its newest checkpoint.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import flax.linen as nn
import jax
import numpy as np
import safetensors
from flax import traverse_util
from safetensors.numpy import load_file, save

from mt3_synth.config import Config, ModelConfig, from_json, to_json
from mt3_synth.errors import InputError
from mt3_synth.models.model import make_model
from mt3_synth.models.stored_arrays import array_names, read_arrays

DEMO = Path(__file__).parents[1] / 'pretrained' / 'demo'
WEIGHTS = 'model.safetensors'


def save_pretrained(folder: str | Path, config: Any, params: Any, dtype: str = 'float16') -> None:
  """Writes a model's folder; it appears when it is complete, and other files in it (a model card) are kept.

  Args:
    folder: made when missing.
    config: what the model is.
    params: without boxes, any float type.
    dtype: of the weights on disk.

  Raises:
    InputError: the folder can't be written.
  """
  folder = Path(folder)
  arrays = {'/'.join(path): np.asarray(x).astype(dtype) for path, x in traverse_util.flatten_dict(params).items()}
  try:
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix='.part-', dir=folder))
    try:
      (part / WEIGHTS).write_bytes(save(arrays))
      (part / 'config.json').write_text(to_json(config))
      for name in (WEIGHTS, 'config.json'):
        os.replace(part / name, folder / name)
    finally:
      shutil.rmtree(part, ignore_errors=True)
      if not any(folder.iterdir()):
        folder.rmdir()
  except OSError as e:
    raise InputError(f'{folder}: {e.strerror}; give a folder that can be written') from None


def load_pretrained(folder: str | Path | None = None) -> tuple[ModelConfig, Any]:
  """A model's configuration and float32 parameters.

  Args:
    folder: of `save_pretrained`, or of a training run; the demonstration model's when None.

  Raises:
    InputError: the folder is missing or holds no model, a file is cut short, or parameters do not fit the configuration.
  """
  config, params, _ = load_folder(DEMO if folder is None else folder, ModelConfig, _abstract)
  return config, params


def load_folder(folder: str | Path, kind: type[Config], abstract: Callable[[Config], Any]) -> tuple[Config, Any, Path]:
  """What `load_pretrained` does, for any kind of model.

  Args:
    folder: as there.
    kind: the dataclass of its configuration.
    abstract: a configuration -> the parameters, or their shapes.

  Returns:
    (configuration, float32 parameters, where they were read).
  """
  folder = Path(folder).expanduser()
  config_file = folder / 'config.json'
  if not folder.is_dir():
    raise InputError(f'{folder}: no such folder; give one with config.json and {WEIGHTS}, or a training run')
  if not config_file.is_file():
    raise InputError(f'{folder}: has no config.json; expected a model folder or a training run')
  config = read_config(config_file, kind)
  if (folder / WEIGHTS).is_file():
    params, source = _read_weights(folder / WEIGHTS), folder / WEIGHTS
  else:
    params, source = _read_run(folder)
  check_shapes(_shapes(params), _shapes(abstract(config)), source, 'config.json')
  return config, jax.tree.map(lambda x: np.asarray(x, np.float32), params), source


def read_config(file: Path, kind: Any = ModelConfig) -> Any:
  """What the model is whose config.json this is.

  Raises:
    InputError: the file can't be read, or is of something else.
  """
  try:
    return from_json(kind, file.read_text(), str(file))
  except (OSError, UnicodeDecodeError) as e:
    raise InputError(f'{file}: unreadable ({e}); copy it again') from None


def _read_weights(file: Path) -> Any:
  try:
    return traverse_util.unflatten_dict({tuple(name.split('/')): x for name, x in load_file(file).items()})
  except (safetensors.SafetensorError, OSError, ValueError) as e:
    raise InputError(f'{file}: unreadable or cut short ({e}); copy it again') from None


def _read_run(folder: Path) -> tuple[Any, Path]:
  steps = sorted((int(path.name) for path in (folder / 'checkpoints').glob('*') if path.name.isdigit()), reverse=True)
  if not steps:
    raise InputError(f'{folder}: has neither {WEIGHTS} nor a finished checkpoint under checkpoints/; train longer or give another folder')
  path = folder / 'checkpoints' / str(steps[0]) / 'ema'
  try:
    # Not by Orbax, whose threads go on printing tracebacks after one of them has met damage.
    arrays = read_arrays(path, array_names(path))
  except InputError as e:
    raise InputError(f'{e}; remove {path.parent} and the checkpoint before it is used') from None
  if not arrays:
    raise InputError(f'{path}: damaged (no arrays); remove {path.parent} and the checkpoint before it is used')
  return traverse_util.unflatten_dict({tuple(name.split('.')): x for name, x in arrays.items()}), path


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
  """The shape of each parameter of the model that `config` describes, by its path joined with /."""
  return _shapes(_abstract(config))


def _abstract(config: ModelConfig) -> Any:
  return nn.meta.unbox(jax.eval_shape(make_model(config).init, jax.random.key(0)))


def check_shapes(found: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]], source: str | Path, configuration: str) -> None:
  """Makes sure that no parameter is missing, left over or of another shape.

  Args:
    found, expected: name -> shape.
    source: what holds the parameters.
    configuration: what says which are expected.

  Raises:
    InputError: names the first that differ, and says how many do.
  """
  wrong = [name for name in sorted(found.keys() | expected.keys()) if found.get(name) != expected.get(name)]
  if not wrong:
    return
  said = '; '.join(
    f'parameter {name} has shape {found.get(name, "(missing)")}, {configuration} expects {expected.get(name, "none of that name")}'
    for name in wrong[:3]
  )
  more = f'; and {len(wrong) - 3} more differ' if len(wrong) > 3 else ''
  raise InputError(f'{source}: {said}{more}; weights and configuration are of different models')


def _shapes(params: Any) -> dict[str, tuple[int, ...]]:
  return {'/'.join(path): np.shape(cast(np.ndarray, x)) for path, x in traverse_util.flatten_dict(params).items()}
