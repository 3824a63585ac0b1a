"""What SeqIO's evaluator measures of predicted spectrograms."""

from collections.abc import Sequence

import numpy as np


def mel_l1(targets: Sequence[np.ndarray], predictions: Sequence[Sequence]) -> dict[str, float]:
  """Mean absolute difference in natural logarithm units, of the frames that were recorded.

  Args:
    targets: log-mels [frames, D].
    predictions: log-mels [T, D], each at least as long as its target.
  """
  errors = [np.abs(np.asarray(mel)[: len(target)] - target) for target, mel in zip(targets, predictions, strict=True)]
  return {'mel_l1': float(np.concatenate(errors).mean())}
