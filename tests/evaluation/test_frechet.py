"""The Fréchet distance against cases known in closed form."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.errors import InputError
from mt3_synth.evaluation.frechet import Moments, frechet_at_infinity, frechet_distance, frechet_of_moments, merge, moments_of_parts


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


SLOW = pytest.mark.slow


def skewed(rows, dimensions, seed):
  """Rows of a spectrum over six decades, far from 0, as embeddings are."""
  rng = np.random.default_rng(seed)
  turn = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))[0]
  return (rng.normal(size=(rows, dimensions)) * np.logspace(0, -3, dimensions)) @ turn + 5


@pytest.mark.parametrize(
  ('rows', 'dimensions'),
  [(100, 128), (200, 128), pytest.param(400, 512, marks=SLOW), pytest.param(600, 512, marks=SLOW)],
)
def test_the_reference_is_singular_values_of_the_rows_in_long_double(rows, dimensions):
  """|A B^T|_* by another way: the eigenvalues of its Gram matrix are all positive, so their roots lose no digits that count."""
  a, b = skewed(rows, dimensions, 1), skewed(rows, dimensions, 2)
  wide = [np.asarray(each, np.longdouble) for each in (a, b)]
  means = [each.sum(axis=0) / rows for each in wide]
  factors = [(each - mean) / np.sqrt(np.longdouble(rows - 1)) for each, mean in zip(wide, means, strict=True)]
  shared = np.linalg.svd((factors[0] @ factors[1].T).astype(np.float64), compute_uv=False).sum()
  expected = float(np.square(means[0] - means[1]).sum() + sum(np.square(each).sum() for each in factors) - 2 * shared)
  assert_allclose(frechet_distance(a, b), expected, rtol=1e-6)
  assert_allclose(frechet_of_moments(Moments.of(a), Moments.of(b)), expected, rtol=1e-6)


@pytest.mark.parametrize(('rows', 'dimensions'), [(20, 50), (100, 128), (1000, 128), pytest.param(300, 512, marks=SLOW)])
def test_a_set_is_nowhere_from_itself_whichever_way_it_is_kept(rows, dimensions):
  x = skewed(rows, dimensions, 0)
  moments = Moments.of(x)
  trace = np.trace(moments.scatter) / (rows - 1)
  for distance in (frechet_distance(x, x), frechet_of_moments(moments, moments), frechet_of_moments(moments, Moments.of(x[::-1]))):
    assert 0 <= distance <= 1e-6 * trace


def test_ten_parts_merged_are_the_whole():
  x, y = skewed(1003, 16, 0), skewed(1003, 16, 1)
  whole = Moments.of(x)
  for parts in ([merge([Moments.of(part) for part in np.array_split(x, 10)])], [moments_of_parts(np.array_split(x, 10))]):
    assert parts[0].n == 1003
    assert_allclose(parts[0].mean, whole.mean, rtol=1e-13)
    assert_allclose(parts[0].scatter, whole.scatter, rtol=1e-9, atol=1e-10)
    assert_allclose(frechet_of_moments(parts[0], Moments.of(y)), frechet_distance(x, y), rtol=1e-9)
  assert moments_of_parts([x[:0], x]).n == 1003
  with pytest.raises(InputError, match='no embeddings'):
    moments_of_parts([x[:0]])


def test_a_part_of_weight_two_is_there_twice():
  x, y = skewed(30, 4, 0), skewed(50, 4, 1)
  twice, expected = merge([Moments.of(x), Moments.of(y)], np.array([2, 1])), Moments.of(np.concatenate([x, x, y]))
  assert twice.n == expected.n == 110
  assert_allclose(twice.mean, expected.mean)
  assert_allclose(twice.scatter, expected.scatter, rtol=1e-10, atol=1e-12)


def test_far_from_zero_no_digits_are_lost():
  x = np.random.default_rng(0).normal(size=(1000, 4))
  near = Moments.of(x)
  far = merge([Moments.of(part + 1e8) for part in np.array_split(x, 10)])
  assert_allclose(far.scatter, near.scatter, rtol=1e-5, atol=1e-3)


def test_many_songs_take_the_memory_of_one():
  import tracemalloc

  rng = np.random.default_rng(0)
  song = rng.normal(size=(200, 32))
  tracemalloc.start()
  moments_of_parts(song + k for k in range(10))
  few = tracemalloc.get_traced_memory()[1]
  tracemalloc.reset_peak()
  assert moments_of_parts(song + k for k in range(1000)).n == 200_000
  assert tracemalloc.get_traced_memory()[1] < 1.5 * few
  tracemalloc.stop()


def test_the_papers_definition_by_hand():
  """Sigma / n of {0, 2} x {0, 4} and of itself moved and halved: variances 1, 4 against 1/4, 1; 9 apart in the first."""
  a = np.array([[0, 0], [2, 0], [0, 4], [2, 4]])
  b = a / 2 + [0.5 + 3, 1]
  assert_allclose(frechet_distance(a, b, 'paper'), 9 + (1 - 0.5) ** 2 + (2 - 1) ** 2)
  assert_allclose(frechet_of_moments(Moments.of(a), Moments.of(b), 'paper'), 10.25)
  assert_allclose(frechet_distance(a, b), 9 + 1.25 * 4 / 3)


def test_without_its_bias_the_distance_of_equal_distributions_is_near_nothing():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(2, 400, 16))
  assert frechet_distance(a, b) > 0.15
  assert abs(frechet_at_infinity(a, b)) < 0.05
  assert frechet_at_infinity(a, b, seed=1) == frechet_at_infinity(a, b, seed=1) != frechet_at_infinity(a, b)
  assert frechet_at_infinity(a, b[:200] + 1) == pytest.approx(16, rel=0.1)


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
