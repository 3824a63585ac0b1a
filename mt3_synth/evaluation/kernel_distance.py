"""The Kernel Audio Distance (Chung et al. 2025): how far two sets of embeddings lie apart, without taking them as Gaussians.

The unbiased squared maximum mean discrepancy under a Gaussian kernel, times 100.  Unlike the Fréchet distance it does not grow as sets get
smaller; of equal distributions it is as often below 0 as above.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mt3_synth.errors import InputError

SCALE = 100
MOST_WINDOWS = 10000  # a side: of more, windows at even steps are taken
_MOST_FOR_BANDWIDTH = 2000
_BLOCK = 512  # rows of the matrix of kernels that is there at a time


@dataclass(frozen=True, eq=False)
class KernelSums:
  """The kernel summed over all pairs of windows of two songs: enough to draw songs anew without the windows.

  Attributes:
    of_reference, of_samples, across: float64 [songs, songs]; `across` has the reference's songs first.
    reference_counts, sample_counts: windows of each song, [songs].
  """

  of_reference: np.ndarray
  of_samples: np.ndarray
  across: np.ndarray
  reference_counts: np.ndarray
  sample_counts: np.ndarray

  def distance(self, weights: np.ndarray | None = None) -> float:
    """The distance of all songs; with `weights` [songs] each counts so many times, as a bootstrap draws them.

    A window is never paired with itself, nor with itself in another drawing of its song.
    """
    weights = np.ones(len(self.across)) if weights is None else np.asarray(weights, np.float64)
    within = [
      (weights @ sums @ weights - own) / ((weights @ counts) ** 2 - own)
      for sums, counts in ((self.of_reference, self.reference_counts), (self.of_samples, self.sample_counts))
      for own in [np.square(weights) @ counts]  # a window's kernel with itself is 1
    ]
    across = weights @ self.across @ weights / ((weights @ self.reference_counts) * (weights @ self.sample_counts))
    return float(SCALE * (within[0] + within[1] - 2 * across))


def kernel_distance(reference: np.ndarray, samples: np.ndarray) -> float:
  """The Kernel Audio Distance between embeddings [n, E] and [m, E]; see `kernel_sums`."""
  return kernel_sums([reference], [samples]).distance()


def kernel_sums(reference: Sequence[np.ndarray], samples: Sequence[np.ndarray]) -> KernelSums:
  """Sums of the Gaussian kernel whose bandwidth is the median distance within the reference.

  Args:
    reference, samples: embeddings [n_i, E] of each song, of the same songs in the same order.

  Raises:
    InputError: fewer than two embeddings of a side, or values that are not finite.
  """
  sides = []
  for name, songs in (('reference', reference), ('samples', samples)):
    stride = -(-sum(map(len, songs)) // MOST_WINDOWS)
    songs = [np.asarray(song, np.float64)[:: max(stride, 1)] for song in songs]
    rows = np.concatenate(songs)
    if len(rows) < 2 or not np.isfinite(rows).all():
      raise InputError(f'{name}: {len(rows)} embeddings, expected at least 2, of finite values')
    sides.append((rows, np.array([len(song) for song in songs])))
  (x, x_counts), (y, y_counts) = sides
  gamma = 1 / (2 * max(bandwidth(x), 1e-12) ** 2)
  pairs = (x, x_counts, x, x_counts), (y, y_counts, y, y_counts), (x, x_counts, y, y_counts)
  of_reference, of_samples, across = (_sums(a, of_a, b, of_b, gamma) for a, of_a, b, of_b in pairs)
  return KernelSums(of_reference, of_samples, across, x_counts, y_counts)


def bandwidth(reference: np.ndarray) -> float:
  """The median distance between two rows [n, E]; of more than 2000, rows at even steps are taken."""
  rows = reference[:: -(-len(reference) // _MOST_FOR_BANDWIDTH)]
  return float(np.median(np.sqrt(_squared_distances(rows, rows)[np.triu_indices(len(rows), 1)])))


def _sums(x, x_counts, y, y_counts, gamma) -> np.ndarray:
  """The kernel summed over the windows of each pair of songs, [songs, songs]."""
  of_song = [np.repeat(np.arange(len(counts)), counts) for counts in (x_counts, y_counts)]
  sums = np.zeros((len(x_counts), len(y_counts)))
  columns = np.eye(len(y_counts))[of_song[1]]  # windows -> songs
  for start in range(0, len(x), _BLOCK):
    kernel = np.exp(-gamma * _squared_distances(x[start : start + _BLOCK], y)) @ columns
    np.add.at(sums, of_song[0][start : start + _BLOCK], kernel)
  return sums


def _squared_distances(x, y) -> np.ndarray:
  centre = y.mean(axis=0)  # far from 0 the difference of squares would lose digits
  x, y = x - centre, y - centre
  return np.maximum(np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1) - 2 * x @ y.T, 0)
