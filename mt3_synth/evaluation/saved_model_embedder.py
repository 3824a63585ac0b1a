"""VGGish and TRILL: TensorFlow SavedModels of TF Hub, as embedders.

A SavedModel is a program, not data: load only those whose origin you trust.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mt3_synth.audio.files import SAMPLE_RATE
from mt3_synth.errors import InputError

INDEX = 'saved_model.pb'


def load_saved_model(name: str, folder: Path, source: str) -> Callable[[np.ndarray], np.ndarray]:
  """The embedder float32 [S] at 16 kHz -> [T, E] of a SavedModel; sound is padded with silence to whole seconds.

  Args:
    name: `vggish`, whose windows are 0.96 s, or `trill`, whose step is about 0.167 s (its layer `embedding`).
    folder: of the SavedModel.
    source: where to get it, for errors.

  Raises:
    InputError: TensorFlow is not installed, or the folder is no SavedModel.
  """
  if not (folder / INDEX).is_file():
    raise InputError(f'embedder {name}: {folder} has no {INDEX}; fetch the SavedModel of {source} and give {name}=FOLDER')
  try:
    import tensorflow as tf
  except ImportError:
    raise InputError(f'embedder {name}: needs TensorFlow; pip install tensorflow, or leave this embedder out') from None
  try:
    model: Any = tf.saved_model.load(str(folder))
  except Exception as e:  # OSError, tf.errors and google.protobuf's
    raise InputError(f'embedder {name}: {folder} is a damaged SavedModel ({" ".join(str(e).split())[:150]}); fetch it again') from None
  faults = (ValueError, TypeError, KeyError, tf.errors.OpError)

  def embed(audio: np.ndarray) -> np.ndarray:
    padded = np.pad(audio, (0, -len(audio) % SAMPLE_RATE))
    try:
      found = model(padded) if name == 'vggish' else model(samples=padded[None], sample_rate=SAMPLE_RATE)['embedding']
    except faults as e:
      raise InputError(f'embedder {name}: {folder} does not take sound ({" ".join(str(e).split())[:150]}); is it {source}?') from None
    found = np.asarray(found)
    return found[0] if found.ndim == 3 else found

  return embed
