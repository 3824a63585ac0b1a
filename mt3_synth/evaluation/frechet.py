"""The Fréchet distance between two sets of embeddings: how far their distributions lie apart, each taken as a Gaussian.

Heusel et al. (2017), section 3; for sounds Kilgour et al. (2019).  No matrix square root is taken of a product, which is not symmetric:
with F F^T a covariance and G G^T the other, Tr (cov1 cov2)^(1/2) is the sum of the singular values of F^T G, which rounding does not spoil.

Sets are kept as their moments, which are merged: a set of any size takes the memory of one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mt3_synth.errors import InputError

Convention = Literal['standard', 'paper']  # covariances divided by n - 1; by n, and diagonal above DIAGONAL_ABOVE dimensions
DIAGONAL_ABOVE = 1024  # dimensions, in the convention `paper`
SUBSETS = 16  # sizes that `frechet_at_infinity` looks at


@dataclass(frozen=True, eq=False)
class Moments:
  """What the distance needs to know of a set of embeddings.

  Attributes:
    n: how many; with weights, not always whole.
    mean: float64 [E].
    scatter: sum of the outer products of the differences from the mean, float64 [E, E].  Kept around the mean, so that merging loses no
      digits however far the mean is from 0.
  """

  n: float
  mean: np.ndarray
  scatter: np.ndarray

  @classmethod
  def of(cls, rows: np.ndarray) -> 'Moments':
    """Moments of embeddings [n, E], n at least 1."""
    rows = np.asarray(rows, np.float64)
    mean = rows.mean(axis=0)
    return cls(len(rows), mean, (rows - mean).T @ (rows - mean))


def merge(parts: Sequence[Moments], weights: np.ndarray | None = None) -> Moments:
  """Moments of all the parts' embeddings together (Chan, Golub, LeVeque 1979).

  Args:
    parts: at least one.
    weights: [parts] how many times each counts, as a bootstrap draws them; once where None.
  """
  counts = np.array([part.n for part in parts], np.float64) * (1 if weights is None else weights)
  means = np.stack([part.mean for part in parts])
  mean = counts @ means / counts.sum()
  apart = (means - mean) * np.sqrt(counts)[:, None]
  scatter = apart.T @ apart
  for part, weight in zip(parts, np.ones(len(parts)) if weights is None else weights, strict=True):
    scatter += weight * part.scatter
  return Moments(float(counts.sum()), mean, scatter)


def moments_of_parts(parts: Iterable[np.ndarray]) -> Moments:
  """Moments of embeddings that come in parts [n_i, E], in the memory of one.  Raises InputError where there is none in them."""
  total = None
  for part in parts:
    if len(part):
      total = Moments.of(part) if total is None else merge([total, Moments.of(part)])
  if total is None:
    raise InputError('no embeddings: all sounds are shorter than a window')
  return total


def frechet_distance(reference: np.ndarray, samples: np.ndarray, convention: Convention = 'standard') -> float:
  """|mean1 - mean2|^2 + Tr cov1 + Tr cov2 - 2 Tr (cov1 cov2)^(1/2), at least 0; computed in float64.

  It is biased by about E / n: compare only sets of the same size, and see that n is well above E.

  Args:
    reference, samples: [n, E] and [m, E], a window or frame a row.
    convention: `standard` divides covariances by n - 1; `paper` by n, and takes them as diagonal above DIAGONAL_ABOVE dimensions.

  Raises:
    InputError: fewer than two rows, another number of dimensions, or values that are not finite.
  """
  sets = [np.asarray(each, np.float64) for each in (reference, samples)]
  for name, each in zip(('reference', 'samples'), sets, strict=True):
    if each.ndim != 2 or len(each) < 2 or each.shape[1] != sets[0].shape[1]:
      raise InputError(f'{name} has shape {list(each.shape)}, expected at least 2 rows of {sets[0].shape[-1]} dimensions')
    if not np.isfinite(each).all():
      raise InputError(f'{name} has values that are not finite')
  if min(map(len, sets)) >= sets[0].shape[1]:
    return frechet_of_moments(Moments.of(sets[0]), Moments.of(sets[1]), convention)
  # Of few rows the rows are the factor of their covariance: the same, exactly, from smaller matrices.
  means = [each.mean(axis=0) for each in sets]
  factors = [(each - mean) / np.sqrt(_divisor(len(each), convention)) for each, mean in zip(sets, means, strict=True)]
  diagonal = convention == 'paper' and sets[0].shape[1] > DIAGONAL_ABOVE
  return _distance(means, [np.square(each).sum(axis=0) for each in factors], None if diagonal else factors)


def frechet_of_moments(reference: Moments, samples: Moments, convention: Convention = 'standard') -> float:
  """`frechet_distance` of sets that are known by their moments.

  Raises:
    InputError: fewer than two embeddings, another number of dimensions, or values that are not finite.
  """
  sets = reference, samples
  for name, each in zip(('reference', 'samples'), sets, strict=True):
    if each.n < 2 or each.mean.shape != reference.mean.shape:
      raise InputError(f'{name} has {each.n:g} embeddings [{len(each.mean)}], expected at least 2 of {len(reference.mean)} dimensions')
    if not np.isfinite(each.scatter).all():
      raise InputError(f'{name} has values that are not finite')
  covariances = [each.scatter / _divisor(each.n, convention) for each in sets]
  diagonal = convention == 'paper' and len(reference.mean) > DIAGONAL_ABOVE
  factors = None if diagonal else [_factor(each) for each in covariances]
  return _distance([each.mean for each in sets], [np.diagonal(each) for each in covariances], factors)


def frechet_at_infinity(reference: np.ndarray, samples: np.ndarray, convention: Convention = 'standard', seed: int = 0) -> float:
  """The distance as it would be of endless sets: a line over 1/n through SUBSETS sizes from a quarter to all, read at 0.

  Chong, Forsyth (2020).  The bias of a size is taken away and not its scatter: it may be slightly negative.

  Args:
    reference, samples: as of `frechet_distance`.  Of sets of the same size, subsets are of the same rows.
    convention: see there.
    seed: of the subsets.
  """
  rng = np.random.default_rng(seed)
  smallest = min(len(reference), len(samples))
  shares = np.linspace(0.25, 1, SUBSETS)
  inverse, distances = [], []
  for share in shares:
    rows = [rng.permutation(len(each))[: max(round(share * len(each)), 2)] for each in (reference, samples)]
    if len(reference) == len(samples):
      rows[1] = rows[0]
    inverse.append(1 / (share * smallest))
    distances.append(frechet_distance(reference[rows[0]], samples[rows[1]], convention))
  return float(np.polyfit(inverse, distances, 1)[1])


def _divisor(n: float, convention: Convention) -> float:
  return n - 1 if convention == 'standard' else n


def _distance(means, variances, factors) -> float:
  """From means [E], variances [E] and factors [rows, E] of the covariances, which are diagonal where there are none."""
  spread = variances[0].sum() + variances[1].sum()
  if factors is None:
    shared = np.sqrt(variances[0] * variances[1]).sum()
  else:
    shared = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
  return float(max(np.square(means[0] - means[1]).sum() + spread - 2 * shared, 0))


def _factor(covariance):
  """[rows, E] whose products with themselves are the covariance."""
  values, vectors = np.linalg.eigh(covariance)
  return (vectors * np.sqrt(np.maximum(values, 0))).T
