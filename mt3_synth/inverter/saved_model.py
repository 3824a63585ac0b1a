"""Published inverters as TensorFlow SavedModels, such as soundstream/mel/decoder: [B, T, D] log-mel -> audio.

The one place for TensorFlow here.  A SavedModel is a program, not data: load only those whose origin you trust.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mt3_synth.config import MelConfig
from mt3_synth.errors import InputError
from mt3_synth.inverter.chunks import in_chunks
from mt3_synth.inverter.onnx import CHUNK, REACH

INDEX = 'saved_model.pb'
_SIGNATURE = 'serving_default'


class SavedModelInverter:
  """An `Inverter` that TensorFlow runs.  Long pieces go in chunks as `OnnxInverter`'s do."""

  def __init__(self, folder: str | Path, mel: MelConfig | None = None):
    """Loads the SavedModel in `folder` for features of `mel`.

    Raises:
      InputError: TensorFlow is not installed, or the folder is no SavedModel that can be called with a spectrogram.
    """
    self.mel = mel or MelConfig()
    try:
      import tensorflow as tf
    except ImportError:
      raise InputError(f'{folder}: needs TensorFlow; pip install tensorflow, or play with griffin_lim') from None
    if not (Path(folder) / INDEX).is_file():
      raise InputError(f'{folder}: has no {INDEX}; give the folder of a SavedModel')
    try:
      loaded: Any = tf.saved_model.load(str(folder))
    except Exception as e:  # OSError, tf.errors and google.protobuf's
      raise InputError(f'{folder}: damaged SavedModel ({" ".join(str(e).split())[:150]}); download it again') from None
    if callable(loaded):
      self._call: Any = loaded
    elif _SIGNATURE in loaded.signatures:
      signature = loaded.signatures[_SIGNATURE]
      (name, *others) = signature.structured_input_signature[1]
      if others:
        raise InputError(f'{folder}: takes {", ".join([name, *others])}; expected one input of log-mel')
      self._call = lambda mel: next(iter(signature(**{name: mel}).values()))
    else:
      raise InputError(f'{folder}: can not be called and has no signature {_SIGNATURE}; expected a decoder of log-mel')
    self._loaded = loaded  # its variables live as long as it does
    self._faults = (ValueError, TypeError, tf.errors.OpError)

  def __call__(self, mel) -> np.ndarray:
    """Inverts [B, T, D] log-mel to float32 [B, T hop]; see `Inverter`."""
    return np.concatenate(list(self.stream([mel])), axis=1)

  def stream(self, mels: Iterable) -> Iterator[np.ndarray]:
    """Inverts parts [B, T_i, D] that follow one another; see `Inverter`."""
    return in_chunks(mels, self._invert, CHUNK, REACH, self.mel.hop, self.mel.bands)

  def _invert(self, row: np.ndarray) -> np.ndarray:
    try:
      return np.asarray(self._call(row[None]))
    except self._faults as e:
      raise InputError(f'the SavedModel does not take log-mel {[1, *row.shape]} ({" ".join(str(e).split())[:150]})') from None
