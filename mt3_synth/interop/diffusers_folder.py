"""Folders of diffusers' SpectrogramDiffusionPipeline: its two encoders, its decoder and its scheduler, read and written."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from flax import traverse_util
from safetensors.numpy import load_file, save_file

from mt3_synth.config import ModelConfig
from mt3_synth.errors import InputError
from mt3_synth.interop import names
from mt3_synth.interop.diffusers_config import INDEX, check_exportable, read_config, write_configs
from mt3_synth.interop.torch_weights import read_torch_weights
from mt3_synth.models.pretrained import check_shapes, parameter_shapes
from mt3_synth.notes.programs import Granularity

_WEIGHTS = 'diffusion_pytorch_model'


def read_diffusers(folder: Path, programs: Granularity | None = None) -> tuple[ModelConfig, Any]:
  """The configuration and float32 parameters of a folder with model_index.json.

  Args:
    folder: of diffusers.
    programs: see `read_config`.

  Raises:
    InputError: a file is missing or damaged, or it holds another model.
  """
  config = read_config(folder, programs)
  shapes = parameter_shapes(config)
  ours = names.renamed(shapes, names.to_diffusers)
  arrays = {}
  for part, _ in names.DIFFUSERS.values():
    found = _read_weights(folder / part)
    arrays |= {f'{part}/{name}': x for name, x in found.items()}
  expected = {name: names.transposed_shape(own, shapes[own]) for name, own in ours.items()}
  check_shapes({name: x.shape for name, x in arrays.items()}, expected, folder, 'its configuration')
  params = {ours[name]: names.transposed(ours[name], np.asarray(x, np.float32)) for name, x in arrays.items()}
  return config, traverse_util.unflatten_dict({tuple(name.split('/')): x for name, x in params.items()})


def write_diffusers(folder: str | Path, config: ModelConfig, params: Any, dtype: str = 'float32') -> None:
  """Writes a model for diffusers; the folder appears when it is complete.

  Args:
    folder: must not be there yet, or be empty.
    config: what the model is.
    params: without boxes.
    dtype: of the weights on disk.

  Raises:
    InputError: diffusers has no such model, or the folder is not empty or can't be written.
  """
  folder = Path(folder)
  check_exportable(config)
  try:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
      raise InputError(f'{folder}: is there already; give a new folder')
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f'.{folder.name}.part-', dir=folder.parent))
    try:
      write_configs(part, config)
      flat = {'/'.join(path): x for path, x in traverse_util.flatten_dict(params).items()}
      for theirs in {each for each, _ in names.DIFFUSERS.values()}:
        arrays = {names.to_diffusers(name): (name, x) for name, x in flat.items()}
        held = {
          name.removeprefix(f'{theirs}/'): names.transposed(own, np.asarray(x, dtype))
          for name, (own, x) in arrays.items()
          if name.startswith(f'{theirs}/')
        }
        save_file(held, part / theirs / f'{_WEIGHTS}.safetensors', metadata={'format': 'pt'})
      part.chmod(0o755)
      part.replace(folder)
    finally:
      shutil.rmtree(part, ignore_errors=True)
  except OSError as e:
    raise InputError(f'{folder}: {e.strerror}; give a folder that can be written') from None


def _read_weights(folder: Path) -> names.Arrays:
  file = folder / f'{_WEIGHTS}.safetensors'
  if file.is_file():
    try:
      return load_file(file)
    except (safetensors.SafetensorError, OSError, ValueError) as e:
      raise InputError(f'{file}: unreadable or cut short ({e}); download it again') from None
  pickled = folder / f'{_WEIGHTS}.bin'
  if pickled.is_file():
    return read_torch_weights(pickled)
  raise InputError(f'{folder}: has neither {file.name} nor {pickled.name}; download the whole model, {INDEX} and the folders beside it')
