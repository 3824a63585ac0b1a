import warnings

import numpy as np
import pytest

from mt3_synth.evaluation.frechet import frechet_distance
from mt3_synth.evaluation.kernel_distance import kernel_distance
from mt3_synth.reporting.pooled import pooled_frechet, pooled_kernel_distance
from mt3_synth.reporting.resampling import Draws, draw_songs


def songs(seed: int, dimensions: int, shift: float = 0.0) -> list[np.ndarray]:
  rng = np.random.default_rng(seed)
  return [rng.normal(shift, 1 + 0.2 * k, (4 + k, dimensions)) for k in range(6)]


@pytest.mark.parametrize('convention', ['standard', 'paper'])
@pytest.mark.parametrize('dimensions', [5, 60])  # fewer than windows, and more
def test_a_draw_is_the_distance_of_its_songs_windows(dimensions, convention):
  reference, sample = songs(0, dimensions), songs(1, dimensions, 0.5)
  draws = draw_songs(6, 20, 0)
  (value,), (drawn,) = pooled_frechet(reference, [sample], draws, convention)
  assert value == pytest.approx(frechet_distance(np.concatenate(reference), np.concatenate(sample), convention), rel=1e-9)
  for counts, distance in zip(draws.counts, drawn, strict=True):
    first, second = (np.concatenate([song for song, k in zip(each, counts, strict=True) for _ in range(k)]) for each in (reference, sample))
    assert distance == pytest.approx(frechet_distance(first, second, convention), rel=1e-6)


def test_a_draw_without_windows_is_no_number_and_no_warning():
  reference, sample = songs(0, 5), songs(1, 5)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    _, ((whole, empty),) = pooled_frechet(reference[:2], [sample[:2]], Draws(np.array([[1, 1], [0, 0]]), np.ones(2, int)))
  assert np.isfinite(whole)
  assert np.isnan(empty)


def test_systems_share_the_draws():
  reference, sample = songs(0, 5), songs(1, 5)
  _, drawn = pooled_frechet(reference, [sample, sample], draw_songs(6, 20, 0))
  assert np.array_equal(drawn[0], drawn[1])


def test_the_kernel_distance_of_each_song_once_is_that_of_all():
  reference, sample = songs(0, 5), songs(1, 5, 0.5)
  once = Draws(np.ones((1, 6), int), np.ones(1, int))
  (value,), (drawn,) = pooled_kernel_distance(reference, [sample], once)
  assert value == pytest.approx(kernel_distance(np.concatenate(reference), np.concatenate(sample)))
  assert drawn[0] == pytest.approx(value)


def test_a_draw_of_one_window_has_no_distance():
  one = [np.ones((1, 3)), np.zeros((1, 3))]
  draws = Draws(np.array([[1, 0], [1, 1]]), np.ones(2, int))
  for pooled in (pooled_frechet, pooled_kernel_distance):
    _, (drawn,) = pooled(one, [one], draws)
    assert np.isnan(drawn[0])
    assert np.isfinite(drawn[1])


def test_the_paper_takes_many_dimensions_as_independent(monkeypatch):
  for module in ('mt3_synth.evaluation.frechet', 'mt3_synth.reporting.pooled'):
    monkeypatch.setattr(f'{module}.DIAGONAL_ABOVE', 4)
  reference, sample = songs(0, 5), songs(1, 5, 0.5)
  once = Draws(np.ones((1, 6), int), np.ones(1, int))
  (value,), (drawn,) = pooled_frechet(reference, [sample], once, 'paper')
  assert drawn[0] == pytest.approx(value)
  assert value != pytest.approx(pooled_frechet(reference, [sample], once)[0][0])
