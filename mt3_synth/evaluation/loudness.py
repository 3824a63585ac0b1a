"""How loud a sound is to the ear, over time."""

from functools import cache

import numpy as np

from mt3_synth.audio.files import SAMPLE_RATE
from mt3_synth.evaluation.spectral import hann, power_spectrum

WINDOW, HOP = 2048, 512  # samples: 0.128 s and 0.032 s
FLOOR_DB = -80.0  # quieter is silence
_BLOCK = 4096  # frames at a time


def loudness(audio: np.ndarray) -> np.ndarray:
  """A-weighted loudness of float [S] at 16 kHz in dB, float32 [ceil(S / HOP)]: 0 is a full-scale sine of 1 kHz, FLOOR_DB silence."""
  frames = -(-len(audio) // HOP)
  padded = np.pad(np.asarray(audio, np.float32), (WINDOW // 2, WINDOW // 2))
  weighted = [
    power_spectrum(padded, first, min(first + _BLOCK, frames), WINDOW, HOP, WINDOW) @ _weights() for first in range(0, frames, _BLOCK)
  ]
  power = np.concatenate(weighted) if weighted else np.zeros(0, np.float32)
  return np.maximum(10 * np.log10(np.maximum(power, 1e-20)), FLOOR_DB)


def loudness_l1(target: np.ndarray, predicted: np.ndarray) -> float:
  """Mean absolute difference of the loudness [dB] of two sounds [S] at 16 kHz; the longer is cut."""
  a, b = loudness(target), loudness(predicted)
  length = min(len(a), len(b))
  return float(np.abs(a[:length] - b[:length]).mean())


def a_weighting(hertz: np.ndarray) -> np.ndarray:
  """The A-weighting of IEC 61672-1 [dB] at frequencies > 0."""
  square = np.square(np.asarray(hertz, np.float64))
  gain = 12194.217**2 * square**2
  gain /= (square + 20.598997**2) * np.sqrt((square + 107.65265**2) * (square + 737.86223**2)) * (square + 12194.217**2)
  return 20 * np.log10(gain) + 2.00


@cache
def _weights() -> np.ndarray:
  """From the power of each bin to the mean square of what is heard, against that of a full-scale sine, 1/2."""
  hertz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
  weights = np.zeros(len(hertz))
  weights[1:] = 10 ** (a_weighting(hertz[1:]) / 10)  # nothing is heard of 0 Hz
  both_sides = 2 / (WINDOW * np.square(hann(WINDOW)).sum())
  return (weights * both_sides * 2).astype(np.float32)
