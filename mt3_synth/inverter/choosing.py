"""An inverter by its name or its file."""

import importlib.util
from pathlib import Path

from mt3_synth.config import MelConfig
from mt3_synth.errors import InputError
from mt3_synth.inverter import Inverter
from mt3_synth.inverter.gan import GanInverter
from mt3_synth.inverter.griffin_lim import GriffinLim

GRIFFIN_LIM = 'griffin_lim'
_ONNX = 'model.onnx'


def choose_inverter(name: str | Path | None, mel: MelConfig, beside: Path | None = None) -> Inverter:
  """Griffin-Lim by its name, a trained inverter, ONNX graph or SavedModel by its path.

  Args:
    name: `griffin_lim`, the folder of a trained inverter or of its training run, an .onnx file, a folder with model.onnx, or a folder with
      saved_model.pb.  Where None: what came with the model, else Griffin-Lim.
    mel: of the features.
    beside: an .onnx file that came with the model: used where no name is given and ONNX Runtime is installed.

  Raises:
    InputError: there is none, or it can't be opened.
  """
  if name is None and beside is not None and importlib.util.find_spec('onnxruntime'):
    name = beside
  if name is None or name == GRIFFIN_LIM:
    return GriffinLim(mel)
  path = Path(name).expanduser()
  if path.is_dir() and (path / _ONNX).is_file():
    path = path / _ONNX
  if path.is_file() and path.suffix.lower() == '.onnx':
    from mt3_synth.inverter.onnx import OnnxInverter

    return OnnxInverter(path, mel)
  if path.is_dir() and (path / 'saved_model.pb').is_file():
    from mt3_synth.inverter.saved_model import SavedModelInverter

    return SavedModelInverter(path, mel)
  if path.is_dir() and (path / 'config.json').is_file():
    return GanInverter(path, mel)
  raise InputError(
    f'{name}: no inverter; give {GRIFFIN_LIM}, a folder with config.json, an .onnx file, or a folder with {_ONNX} or saved_model.pb'
  )
