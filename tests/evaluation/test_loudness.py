import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.evaluation.loudness import FLOOR_DB, a_weighting, loudness, loudness_l1


def tone(hertz, samples=32000):
  return np.sin(2 * np.pi * hertz * np.arange(samples) / 16000).astype(np.float32)


def test_the_weighting_is_that_of_the_standards_table():
  """IEC 61672-1, table 2, to a tenth of a decibel."""
  hertz = np.array([31.62, 63.10, 125.9, 251.2, 501.2, 1000, 1995, 3981, 7943])
  assert_allclose(a_weighting(hertz), [-39.4, -26.2, -16.1, -8.6, -3.2, 0, 1.2, 1.0, -1.1], atol=0.06)


@pytest.mark.parametrize(('hertz', 'decibel'), [(1000, 0), (100, -19.1), (4000, 1.0)])
def test_a_full_scale_tone_is_as_loud_as_its_weight(hertz, decibel):
  curve = loudness(tone(hertz))
  assert len(curve) == 63
  assert_allclose(curve[5:-5], decibel, atol=0.1)


def test_half_the_amplitude_is_six_decibels_and_silence_the_floor():
  assert loudness_l1(tone(440), tone(440) / 2) == pytest.approx(6.02, abs=0.01)
  assert loudness_l1(tone(440), tone(440)[:16000]) == pytest.approx(0, abs=0.2)  # but for the end of the shorter
  assert (loudness(np.zeros(5000)) == FLOOR_DB).all()
  assert len(loudness(np.zeros(0))) == 0
