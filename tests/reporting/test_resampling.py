import numpy as np
import pytest

from mt3_synth.reporting.resampling import Draws, Interval, draw_songs, interval, means, ratios


def test_each_set_has_as_many_songs_and_comes_once():
  draws = draw_songs(3, 500, seed=0)
  assert (draws.counts.sum(axis=1) == 3).all()
  assert len(draws.counts) == 10  # of three songs there are no more different sets
  assert draws.times.sum() == 500


def test_draws_are_of_the_seed():
  assert np.array_equal(draw_songs(20, 50, 1).counts, draw_songs(20, 50, 1).counts)
  assert not np.array_equal(draw_songs(20, 50, 1).counts, draw_songs(20, 50, 2).counts)


def test_the_interval_of_a_mean_is_that_of_theory():
  rng = np.random.default_rng(0)
  values = rng.normal(5, 2, 200)
  draws = draw_songs(200, 4000, 0)
  value, low, high = interval(*means(values, draws), draws)
  half = 1.96 * values.std() / np.sqrt(200)
  assert value == pytest.approx(values.mean())
  assert [low, high] == pytest.approx([value - half, value + half], abs=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say():
  draws = draw_songs(50, 1000, 0)
  rng = np.random.default_rng(1)
  found = [interval(*means(rng.normal(size=50), draws), draws) for _ in range(300)]
  assert 0.90 < np.mean([each.low < 0 < each.high for each in found]) < 0.98


def test_a_biased_statistic_has_its_interval_about_the_value():
  draws = draw_songs(30, 500, 0)
  _, drawn = means(np.random.default_rng(0).normal(size=30), draws)
  found = interval(1.0, drawn + 7, draws)
  assert found.low < 1 < found.high


def test_a_difference_of_paired_songs_is_told_where_values_alone_overlap():
  rng = np.random.default_rng(0)
  hard = rng.normal(0, 5, 30)  # songs differ far more than systems
  a, b = hard, hard + 0.3 + rng.normal(0, 0.1, 30)
  draws = draw_songs(30, 1000, 0)
  (mean_a, drawn_a), (mean_b, drawn_b) = means(a, draws), means(b, draws)
  alone = interval(mean_a, drawn_a, draws), interval(mean_b, drawn_b, draws)
  assert alone[0].high > alone[1].low
  assert interval(mean_b - mean_a, drawn_b - drawn_a, draws).excludes_zero


def test_one_song_has_no_interval_and_equal_sums_are_no_difference():
  draws = draw_songs(1, 100, 0)
  found = interval(*means(np.array([2.0]), draws), draws)
  assert found.value == 2
  assert np.isnan([found.low, found.high]).all()
  assert not found.excludes_zero
  assert not Interval(0.0, 1e-17, 1e-16).excludes_zero
  assert Interval(-1.0, -2.0, -0.1).excludes_zero


def test_songs_without_a_value_do_not_count():
  draws = Draws(np.array([[2, 0, 0], [0, 1, 1]]), np.array([1, 1]))
  value, drawn = means(np.array([np.nan, 1.0, 3.0]), draws)
  assert value == 2
  assert np.isnan(drawn[0])
  assert drawn[1] == 2


def test_a_ratio_is_of_sums():
  value, _ = ratios(np.array([1.0, 9.0, np.nan]), np.array([10.0, 10.0, 10.0]), draw_songs(3, 10, 0))
  assert value == 0.5
