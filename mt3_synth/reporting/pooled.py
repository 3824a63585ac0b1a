"""Distances between sets of windows, found anew for resampled songs from what is kept of each song."""

from collections.abc import Iterator, Sequence

import numpy as np

from mt3_synth.evaluation.frechet import DIAGONAL_ABOVE, Convention, Moments, frechet_at_infinity, frechet_of_moments, merge
from mt3_synth.evaluation.kernel_distance import kernel_sums
from mt3_synth.reporting.resampling import Draws

Songs = Sequence[np.ndarray]  # of each song its windows [n, E]
Pooled = tuple[np.ndarray, np.ndarray]
_BLOCK = 1 << 22  # numbers of merged scatters that are there at a time, 32 MB


def pooled_frechet(reference: Songs, systems: Sequence[Songs], draws: Draws, convention: Convention = 'standard') -> Pooled:
  """Fréchet distances of each system's windows, all songs together [K], and those of each draw [K, R]."""
  kept, *of_systems = ([Moments.of(song) for song in songs] for songs in (reference, *systems))
  values = [frechet_of_moments(merge(kept), merge(songs), convention) for songs in of_systems]
  resampled = np.full((len(systems), len(draws.counts)), np.nan)
  for draw, (first, *others) in enumerate(zip(*(_merged(songs, draws.counts) for songs in (kept, *of_systems)), strict=True)):
    if first.n >= 2:
      root = _root(_covariance(first, convention))
      resampled[:, draw] = [_distance(first, root, other, convention) for other in others]
  return np.array(values), resampled


def pooled_frechet_at_infinity(reference: Songs, systems: Sequence[Songs], draws: Draws) -> Pooled:
  """`frechet_at_infinity` of each system's windows [K]; NaN [K, R] of the draws: windows that are there twice would bend its line."""
  whole = np.concatenate(reference)
  values = [frechet_at_infinity(whole, np.concatenate(songs)) for songs in systems]
  return np.array(values), np.full((len(systems), len(draws.counts)), np.nan)


def _merged(songs: Sequence[Moments], counts: np.ndarray) -> Iterator[Moments]:
  """`merge` for each row of counts [R, S]: as products of matrices, a hundred times as fast where songs are many."""
  n = np.array([song.n for song in songs], float)
  means = np.stack([song.mean for song in songs])
  centre = n @ means / n.sum()  # about which squares are taken, so that no digits are lost
  means = means - centre
  squares = np.stack([song.scatter + song.n * np.outer(mean, mean) for song, mean in zip(songs, means, strict=True)])
  block = max(1, _BLOCK // squares[0].size)
  for start in range(0, len(counts), block):
    weights = counts[start : start + block].astype(float)
    totals = weights @ n
    middles = weights @ (n[:, None] * means) / np.maximum(totals, 1)[:, None]  # a draw may hold no window
    for total, middle, square in zip(totals, middles, np.tensordot(weights, squares, 1), strict=True):
      yield Moments(float(total), centre + middle, square - total * np.outer(middle, middle))


def pooled_kernel_distance(reference: Songs, systems: Sequence[Songs], draws: Draws) -> Pooled:
  """Kernel distances of each system's windows, all songs together [K], and those of each draw [K, R]; the bandwidth is that of all."""
  sums = [kernel_sums(reference, songs) for songs in systems]
  with np.errstate(invalid='ignore', divide='ignore'):  # a draw of one window has no pairs: NaN
    resampled = [[each.distance(counts) for counts in draws.counts] for each in sums]
  return np.array([each.distance() for each in sums]), np.array(resampled)


def _distance(reference: Moments, root: np.ndarray, samples: Moments, convention: Convention) -> float:
  """As `frechet_of_moments`, of a reference whose root is known; five times as fast, and exact enough for an interval."""
  covariance = _covariance(samples, convention)
  if root.ndim == 1:
    shared = (root * np.sqrt(covariance)).sum()
    spread = np.square(root).sum() + covariance.sum()
  else:
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariance @ root), 0)).sum()
    spread = np.square(root).sum() + np.trace(covariance)
  return float(np.square(reference.mean - samples.mean).sum() + spread - 2 * shared)


def _covariance(moments: Moments, convention: Convention) -> np.ndarray:
  """[E, E]; where the convention takes it as diagonal, that [E]."""
  if convention == 'standard':
    return moments.scatter / (moments.n - 1)
  covariance = moments.scatter / moments.n
  return np.diagonal(covariance) if len(covariance) > DIAGONAL_ABOVE else covariance


def _root(covariance: np.ndarray) -> np.ndarray:
  if covariance.ndim == 1:
    return np.sqrt(covariance)
  values, vectors = np.linalg.eigh(covariance)
  return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
