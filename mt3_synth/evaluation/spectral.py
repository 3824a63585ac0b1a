"""Distances between spectrograms."""

import numpy as np


def mel_l1(target: np.ndarray, predicted: np.ndarray) -> float:
  """Mean absolute difference of two log-mels [T, D], in natural logarithm units; the longer is cut."""
  target, predicted = _same_length(target, predicted)
  return float(np.abs(target - predicted).mean())


def correlation(target: np.ndarray, predicted: np.ndarray) -> float:
  """Pearson's correlation of all values of two log-mels [T, D]; the longer is cut.  Not a number where one is constant."""
  target, predicted = _same_length(target, predicted)
  with np.errstate(invalid='ignore', divide='ignore'):
    return float(np.corrcoef(target.ravel(), predicted.ravel())[0, 1])


def _same_length(target, predicted):
  length = min(len(target), len(predicted))
  return target[:length], predicted[:length]
