import numpy as np
import pytest

from mt3_synth.evaluation.spectral import correlation, mel_l1


def test_l1_by_hand():
  assert mel_l1(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [4.0, 4.0]])) == 0.75


def test_the_longer_is_cut():
  short, long = np.zeros((2, 3)), np.concatenate([np.zeros((2, 3)), np.full((5, 3), 9.0)])
  assert mel_l1(short, long) == mel_l1(long, short) == 0


def test_correlation_ignores_scale_and_sees_the_sign():
  x = np.arange(6.0).reshape(3, 2)
  assert correlation(x, 2 * x + 5) == pytest.approx(1)
  assert correlation(x, -x) == pytest.approx(-1)
  assert np.isnan(correlation(x, np.zeros((3, 2))))
