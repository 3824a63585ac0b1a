"""Whatever holds a model -> its configuration and parameters."""

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from mt3_synth.config import ModelConfig
from mt3_synth.errors import InputError
from mt3_synth.interop.archives import unpacked
from mt3_synth.interop.diffusers_config import INDEX
from mt3_synth.interop.diffusers_folder import read_diffusers
from mt3_synth.interop.hub import download, is_hub_id
from mt3_synth.interop.t5x import find_checkpoint, read_t5x
from mt3_synth.models.pretrained import load_pretrained
from mt3_synth.notes.programs import Granularity

MELGAN = Path('melgan') / 'model.onnx'  # where a published folder keeps its inverter


class Loaded(NamedTuple):
  """A model, and the file of the inverter that came with it, if any."""

  config: ModelConfig
  params: Any
  inverter: Path | None = None


def load_model(source: str | Path | None = None, programs: Granularity | None = None) -> Loaded:
  """Reads a model of ours, of T5X or of diffusers.

  Args:
    source: a folder (of `save_pretrained`, of a training run, of diffusers with model_index.json; a checkpoint of T5X, or the folder
      that has several), a zip archive that holds one of these, or an id on the Hugging Face hub; the demonstration model when None.
    programs: how finely the training data told instruments apart, where the checkpoint can't say so; see docs/checkpoints.md.

  Raises:
    InputError: there is none, or it is damaged or of another kind.
  """
  if source is None:
    return Loaded(*load_pretrained())
  path = Path(source).expanduser()
  if not path.exists() and is_hub_id(str(source)):
    path = download(str(source))
  if path.is_file():
    if not zipfile.is_zipfile(path) and path.suffix.lower() != '.zip':
      raise InputError(f'{path}: is a file; give the folder of a model, or a zip archive of one')
    with unpacked(path) as folder:
      loaded = _load_folder(_model_in(folder, path), programs)
    return loaded._replace(inverter=None)  # gone with the archive's folder
  return _load_folder(path, programs)


def _load_folder(folder: Path, programs: Granularity | None) -> Loaded:
  if (folder / INDEX).is_file():
    melgan = folder / MELGAN
    return Loaded(*read_diffusers(folder, programs), melgan if melgan.is_file() else None)
  checkpoint = find_checkpoint(folder)
  if checkpoint is not None:
    return Loaded(*read_t5x(checkpoint, programs))
  melgan = folder / MELGAN
  return Loaded(*load_pretrained(folder), melgan if melgan.is_file() else None)


def _model_in(folder: Path, archive: Path) -> Path:
  """The folder of a model in an unpacked archive: the first, from the top, that looks like one."""
  below = sorted((path for path in folder.rglob('*') if path.is_dir()), key=lambda path: len(path.parts))
  for each in [folder, *below]:
    if (each / INDEX).is_file() or (each / 'config.json').is_file() or find_checkpoint(each) is not None:
      return each
  raise InputError(f'{archive}: holds no model: neither {INDEX} nor a checkpoint of T5X nor config.json')
