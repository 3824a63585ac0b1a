"""The Fréchet distance between two sets of embeddings: how far their distributions lie apart, each taken as a Gaussian.

Heusel et al. (2017), section 3; for sounds Kilgour et al. (2019).  No matrix square root is taken of a product, which is not symmetric.
"""

from typing import Literal

import numpy as np

from mt3_synth.errors import InputError

DIAGONAL_ABOVE = 1024  # dimensions, in the convention `paper`


def frechet_distance(reference: np.ndarray, samples: np.ndarray, convention: Literal['standard', 'paper'] = 'standard') -> float:
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
  means = [each.mean(axis=0) for each in sets]
  # Rows whose products with themselves are the covariance.
  a, b = ((each - mean) / np.sqrt(len(each) - (convention == 'standard')) for each, mean in zip(sets, means, strict=True))
  apart, spread = np.square(means[0] - means[1]).sum(), np.square(a).sum() + np.square(b).sum()
  if convention == 'paper' and a.shape[1] > DIAGONAL_ABOVE:
    shared = np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0)).sum()
  elif min(len(a), len(b)) < a.shape[1]:
    shared = np.linalg.svd(a @ b.T, compute_uv=False).sum()  # the same trace, exactly, from a smaller matrix
  else:
    root = _root(a.T @ a)
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ (b.T @ b) @ root), 0)).sum()
  return float(max(apart + spread - 2 * shared, 0))


def _root(covariance):
  values, vectors = np.linalg.eigh(covariance)
  return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
