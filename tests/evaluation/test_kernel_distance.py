import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.errors import InputError
from mt3_synth.evaluation import kernel_distance as module
from mt3_synth.evaluation.kernel_distance import bandwidth, kernel_distance, kernel_sums


def test_by_hand():
  """The only pair of the reference is 2 apart: that is the bandwidth; all kernels are exp(-d^2 / 8)."""
  x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])
  k = lambda d: np.exp(-(d**2) / 8)
  expected = 100 * (k(2) + k(4) - 2 * (k(1) + k(5) + k(1) + k(3)) / 4)
  assert_allclose(kernel_distance(x, y), expected)


def test_pair_by_pair(monkeypatch):
  monkeypatch.setattr(module, '_BLOCK', 7)
  rng = np.random.default_rng(0)
  x, y = rng.normal(size=(20, 3)) + 100, rng.normal(size=(31, 3)) * 2 + 101
  apart = lambda a, b: np.linalg.norm(a[:, None] - b, axis=-1)
  width = np.median([np.linalg.norm(x[i] - x[j]) for i in range(20) for j in range(i)])
  assert_allclose(bandwidth(x), width)
  k = lambda a, b: np.exp(-(apart(a, b) ** 2) / (2 * width**2))
  unbiased = lambda a: (k(a, a).sum() - len(a)) / (len(a) * (len(a) - 1))
  expected = 100 * (unbiased(x) + unbiased(y) - 2 * k(x, y).mean())
  assert_allclose(kernel_distance(x, y), expected)
  songs = kernel_sums([x[:5], x[5:]], [y[:20], y[20:]])
  assert_allclose(songs.distance(), expected)


def test_a_song_drawn_twice_is_never_paired_with_itself():
  x, y = np.random.default_rng(0).normal(size=(2, 3, 10, 4))
  sums, weights = kernel_sums(x, y), np.array([2.0, 0.0, 1.0])
  w = np.repeat(weights, 10)
  pairs = np.outer(w, w) * (1 - np.eye(30))
  kernel = lambda a, b: np.exp(-(np.linalg.norm(a[:, None] - b, axis=-1) ** 2) / (2 * bandwidth(x.reshape(-1, 4)) ** 2))
  x, y = x.reshape(-1, 4), y.reshape(-1, 4)
  expected = (pairs * kernel(x, x)).sum() / pairs.sum() + (pairs * kernel(y, y)).sum() / pairs.sum() - 2 * w @ kernel(x, y) @ w / 30**2
  assert_allclose(sums.distance(weights), 100 * expected)
  assert_allclose(sums.distance(3 * weights), sums.distance(weights))


def test_equal_distributions_are_around_zero_and_others_are_not():
  rng = np.random.default_rng(0)
  distances = [kernel_distance(*rng.normal(size=(2, 50, 8))) for _ in range(100)]
  assert abs(np.mean(distances)) < 0.15
  assert min(distances) < 0 < max(distances)
  assert kernel_distance(*(rng.normal(size=(2, 50, 8)) + np.array([0, 1])[:, None, None])) > 5


def test_of_very_many_windows_some_are_taken(monkeypatch):
  monkeypatch.setattr(module, 'MOST_WINDOWS', 100)
  x, y = np.random.default_rng(0).normal(size=(2, 250, 4))
  assert kernel_distance(x, y) == kernel_distance(x[::3], y[::3])


def test_what_can_not_be_measured_is_named():
  with pytest.raises(InputError, match='samples: 1 embeddings'):
    kernel_distance(np.zeros((3, 2)), np.zeros((1, 2)))
  with pytest.raises(InputError, match='reference: 3 embeddings, expected at least 2, of finite values'):
    kernel_distance(np.full((3, 2), np.nan), np.zeros((3, 2)))
