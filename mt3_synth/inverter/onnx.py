"""Published inverters as ONNX graphs, such as the `melgan/model.onnx` of diffusers: input_features [B, T, D] log-mel -> audio."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mt3_synth.config import MelConfig
from mt3_synth.errors import InputError
from mt3_synth.inverter.chunks import in_chunks

CHUNK = 512  # frames
REACH = 64  # frames to either side that a sample may depend on: 1.3 s, more than decoders of this kind see


class OnnxInverter:
  """An `Inverter` that ONNX Runtime runs on the CPU.

  Long pieces go in chunks with `REACH` frames to either side; see `in_chunks` for when that equals the whole.
  """

  def __init__(self, file: str | Path, mel: MelConfig | None = None):
    """Opens the graph in `file` for features of `mel`.

    Raises:
      InputError: ONNX Runtime is not installed, the file is no graph of one input [B, T, D] and one output.
    """
    self.mel = mel or MelConfig()
    try:
      import onnxruntime
    except ImportError:
      raise InputError(f'{file}: needs ONNX Runtime; pip install onnxruntime, or play with griffin_lim') from None
    if not Path(file).is_file():
      raise InputError(f'{file}: no such file; give an .onnx file')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    try:
      self._session = onnxruntime.InferenceSession(str(file), options, providers=['CPUExecutionProvider'])
    except Exception as e:  # its exceptions have no common base
      raise InputError(f'{file}: no ONNX graph, or cut short ({" ".join(str(e).split())[:150]}); download it again') from None
    inputs = self._session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 3:
      found = ', '.join(f'{each.name} {each.shape}' for each in inputs)
      raise InputError(f'{file}: takes {found or "nothing"}; expected one input of log-mel [batch, frames, {self.mel.bands}]')
    self._input = inputs[0].name
    _, frames, bands = inputs[0].shape
    if isinstance(bands, int) and bands != self.mel.bands:
      raise InputError(f'{file}: takes {bands} bands; this model has {self.mel.bands}')
    if isinstance(frames, int):
      raise InputError(f'{file}: takes {frames} frames and no other number; export it with a dynamic axis of frames')

  def __call__(self, mel) -> np.ndarray:
    """Inverts [B, T, D] log-mel to float32 [B, T hop]; see `Inverter`."""
    return np.concatenate(list(self.stream([mel])), axis=1)

  def stream(self, mels: Iterable) -> Iterator[np.ndarray]:
    """Inverts parts [B, T_i, D] that follow one another; see `Inverter`."""
    return in_chunks(mels, self._invert, CHUNK, REACH, self.mel.hop, self.mel.bands)

  def _invert(self, row: np.ndarray) -> np.ndarray:
    return np.asarray(self._session.run(None, {self._input: row[None]})[0])
