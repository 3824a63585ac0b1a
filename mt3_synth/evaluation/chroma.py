"""Which pitch classes sound: the notes, whatever the timbre."""

import numpy as np

from mt3_synth.evaluation.spectral import power_spectrum

WINDOW, HOP = 4096, 1024  # 0.26 s and 0.064 s at 16 kHz: semitones are told apart down to about C3
LOW_HZ, HIGH_HZ = 65.0, 4200.0
SILENCE_DB = -50.0  # frames this far below the loudest say nothing of pitch
_BLOCK = 1024  # frames at a time


def chroma(audio: np.ndarray, sample_rate: int = 16000) -> np.ndarray:
  """Energy of the twelve pitch classes, C first: audio [S] -> [frames, 12]."""
  audio = np.pad(np.asarray(audio, np.float32), (0, max(WINDOW - len(audio), 0)))
  hertz = np.fft.rfftfreq(WINDOW, 1 / sample_rate)
  heard = (hertz >= LOW_HZ) & (hertz <= HIGH_HZ)
  pitch_class = np.round(69 + 12 * np.log2(hertz[heard] / 440)).astype(int) % 12
  classes, frames = np.eye(12, dtype=np.float32)[pitch_class], (len(audio) - WINDOW) // HOP + 1
  blocks = [(first, min(first + _BLOCK, frames)) for first in range(0, frames, _BLOCK)]
  return np.concatenate([power_spectrum(audio, *block, WINDOW, HOP, WINDOW)[:, heard] @ classes for block in blocks]).astype(np.float64)


def chroma_cosine(target: np.ndarray, predicted: np.ndarray, sample_rate: int = 16000) -> float:
  """Mean cosine between the chroma of two recordings [S], over the frames where the target sounds; 1 is the same harmony throughout.

  Not a number where the target is silent.
  """
  a, b = chroma(target, sample_rate), chroma(predicted, sample_rate)
  a, b = a[: len(b)], b[: len(a)]
  energy = a.sum(1)
  sounding = energy > energy.max() * 10 ** (SILENCE_DB / 10)
  a, b = a[sounding], b[sounding]
  if not len(a):
    return float('nan')
  norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
  return float(np.mean((a * b).sum(1) / np.maximum(norms, 1e-20)))
