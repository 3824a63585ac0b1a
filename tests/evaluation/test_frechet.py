"""The Fréchet distance against cases known in closed form."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.errors import InputError
from mt3_synth.evaluation.frechet import frechet_distance


def with_moments(rows, mean, std, seed=0):
  """Rows whose mean and covariance diag(std^2), divided by n - 1, are exact."""
  x = np.random.default_rng(seed).normal(size=(rows, len(std)))
  x -= x.mean(axis=0)
  x = np.linalg.qr(x)[0] * np.sqrt(rows - 1)
  return x * std + mean


@pytest.mark.parametrize('rows', [3, 40])  # as few as dimensions, and many
def test_known_gaussians(rows):
  a, b = with_moments(rows, [0, 0], [1, 2]), with_moments(40, [3, 4], [2, 2], seed=1)
  assert_allclose(frechet_distance(a, b), 25 + 1)  # means 5 apart; (1 - 2)^2 + (2 - 2)^2
  assert_allclose(frechet_distance(b, a), 26)


def test_covariances_that_do_not_commute():
  """Of 2 x 2 matrices the trace of the root is sqrt(trace + 2 sqrt(determinant))."""
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 2)), rng.normal(size=(60, 2)) @ rng.normal(size=(2, 2))
  s, t = np.cov(a.T), np.cov(b.T)
  shared = np.sqrt(np.trace(s @ t) + 2 * np.sqrt(np.linalg.det(s @ t)))
  expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s) + np.trace(t) - 2 * shared
  assert_allclose(frechet_distance(a, b), expected)


def test_few_rows_of_many_dimensions_give_what_the_whole_matrices_give():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(30, 8)), rng.normal(size=(6, 8)) + 1
  many = np.repeat(b, 5, axis=0)  # the same covariance divided by n
  assert_allclose(frechet_distance(a, b, 'paper'), frechet_distance(a, many, 'paper'))


def test_the_same_set_is_nowhere_and_never_below():
  x = np.random.default_rng(0).normal(size=(20, 50)) * 1e3
  assert 0 <= frechet_distance(x, x) < 1e-5
  assert frechet_distance(np.ones((3, 4)), np.ones((5, 4))) == 0


def test_the_papers_convention_divides_by_n_and_drops_correlations():
  a, b = with_moments(10, [0], [1]), with_moments(10, [0], [2], seed=1)
  assert_allclose(frechet_distance(a, b, 'paper'), 0.9)
  rng = np.random.default_rng(0)
  wide, other = rng.normal(size=(5, 1025)), rng.normal(size=(5, 1025))
  expected = np.square(wide.mean(0) - other.mean(0)).sum() + np.square(wide.std(0) - other.std(0)).sum()
  assert_allclose(frechet_distance(wide, other, 'paper'), expected)


@pytest.mark.parametrize(
  ('samples', 'says'),
  [
    (np.zeros((1, 3)), r'samples has shape \[1, 3\], expected at least 2 rows of 3'),
    (np.zeros((5, 4)), r'samples has shape \[5, 4\]'),
    (np.full((5, 3), np.nan), 'samples has values that are not finite'),
  ],
)
def test_what_can_not_be_measured_is_named(samples, says):
  with pytest.raises(InputError, match=says):
    frechet_distance(np.zeros((4, 3)), samples)
