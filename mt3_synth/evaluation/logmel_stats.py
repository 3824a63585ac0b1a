"""The embedder that needs no download: how loud each band is on average, and how much that changes, each 0.96 s.

Its features are those that VGGish begins with (25 ms windows, 10 ms hops, 64 bands from 125 to 7500 Hz); there is no network behind
them, so its distances are no VGGish distances.
"""

import hashlib

import numpy as np

from mt3_synth.audio.mel import mel_basis
from mt3_synth.config import MelConfig
from mt3_synth.evaluation.spectral import power_spectrum

MEL = MelConfig(hop=160, window=400, fft=512, bands=64, low_hz=125, high_hz=7500)
LOG_OFFSET = 0.01
PATCH = 96  # frames
SHORTEST = (PATCH - 1) * MEL.hop + MEL.window  # samples of one patch
HASH = hashlib.sha256(f'{MEL} {LOG_OFFSET} {PATCH} mean std'.encode()).hexdigest()[:16]
_BLOCK = 64  # patches at a time


def embed(audio: np.ndarray) -> np.ndarray:
  """float32 [S] at 16 kHz -> float32 [T, 128]: means and standard deviations of the bands in each whole patch; what is left over is cut."""
  frames = max((len(audio) - MEL.window) // MEL.hop + 1, 0)
  patches, found = frames // PATCH, [np.zeros((0, 2 * MEL.bands), np.float32)]
  for first in range(0, patches, _BLOCK):
    last = min(first + _BLOCK, patches)
    power = power_spectrum(audio, first * PATCH, last * PATCH, MEL.fft, MEL.hop, MEL.window)
    logs = np.log(np.sqrt(power) @ mel_basis(MEL) + np.float32(LOG_OFFSET)).reshape(last - first, PATCH, MEL.bands)
    found.append(np.concatenate([logs.mean(axis=1), logs.std(axis=1)], axis=1))
  return np.concatenate(found)
