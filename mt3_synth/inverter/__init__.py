"""Mel spectrogram -> waveform.

Every inverter is called the same way, whatever is behind it: `inverter(mel) -> audio`, see `Inverter`.  `griffin_lim.GriffinLim` needs no
training and is the reference the others are measured against.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from mt3_synth.errors import InputError

_LOUDEST = 20.0  # e^20: five million times the magnitude of a full-scale sine


class Inverter(Protocol):
  """What turns features back into sound.

  Implementations check their input with `check_mel`, never normalise or clip (the caller does), and give row b the same sound whatever
  the other rows hold.
  """

  def __call__(self, mel) -> np.ndarray:
    """Inverts a batch.

    Args:
      mel: [B, T, D] as `mt3_synth.audio.mel.log_mel` gives it: natural logarithm, not scaled to [-1, 1]; numpy or jax; any T >= 1.

    Returns:
      float32 [B, T hop], nominally in [-1, 1].

    Raises:
      InputError: the shape or the values are not those of a log-mel spectrogram.
    """
    ...

  def stream(self, mels: Iterable) -> Iterator[np.ndarray]:
    """The sound of parts [B, T_i, D] that follow one another, in parts of its own; memory does not grow with the piece.

    Joined, the parts are what the call gives for the joined input.
    """
    ...


def check_mel(mel, bands: int) -> np.ndarray:
  """float32 [B, T, D] of what an inverter was given.

  Raises:
    InputError: not three axes, no row or frame, another number of bands, NaN or infinite values, or values no logarithm of a sound has.
  """
  mel = np.asarray(mel, np.float32)
  if mel.ndim != 3:
    raise InputError(f'mel has shape {list(mel.shape)}; expected [B, T, D]: give one spectrogram as mel[None]')
  if mel.shape[2] != bands:
    raise InputError(f'mel has {mel.shape[2]} bands; this inverter expects {bands}: both must come from one configuration')
  if not mel.size:
    raise InputError(f'mel has shape {list(mel.shape)}; expected at least one row and one frame')
  bad = np.any(~np.isfinite(mel), axis=(0, 2))
  if bad.any():
    raise InputError(
      f'mel is NaN or infinite in {bad.sum()} of {mel.shape[1]} frames, first in frame {bad.argmax()}; expected log-magnitudes'
    )
  if mel.max() > _LOUDEST:
    raise InputError(f'mel reaches {mel.max():g}; expected natural logarithms of magnitudes, about -11.5 to 4: take the logarithm first?')
  return mel
