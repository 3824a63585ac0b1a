"""Intervals by the bootstrap over songs: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 16.

Songs are drawn with replacement, the same draws for every system and measure, so that differences are paired.  Windows of one song are
alike: they are never drawn on their own.
"""

from typing import NamedTuple

import numpy as np

LEVEL = 0.95
FEWEST_SONGS = 10  # below this, percentiles of a bootstrap are known to be too narrow
_ROUNDING = 1e-9  # sums of equal numbers in another order are no difference


class Interval(NamedTuple):
  """A value and the interval about it; both ends NaN where there are too few songs to say."""

  value: float
  low: float = float('nan')
  high: float = float('nan')

  @property
  def excludes_zero(self) -> bool:
    return self.low > _ROUNDING or self.high < -_ROUNDING


class Draws(NamedTuple):
  """Resampled sets of songs: how often each occurs, and how often that same set was drawn.

  Attributes:
    counts: int [R, S]; each row adds up to S, no two rows are alike.
    times: int [R]; adds up to the number of draws.
  """

  counts: np.ndarray
  times: np.ndarray


def draw_songs(songs: int, draws: int, seed: int) -> Draws:
  """`draws` sets of as many songs as there are, with replacement.  Of few songs most draws repeat: each set comes once, with its count."""
  rng = np.random.default_rng(seed)
  counts = rng.multinomial(songs, np.full(songs, 1 / songs), size=draws) if songs else np.zeros((draws, 0), int)
  return Draws(*np.unique(counts, axis=0, return_counts=True))


def interval(value: float, resampled: np.ndarray, draws: Draws) -> Interval:
  """The central 95 % of resampled values [R], moved so that their mean is `value`.

  Of a mean over songs that changes next to nothing.  A Fréchet distance is biased by the number of different windows, of which a resampled
  set has fewer: without the move its interval would lie above it.

  NaN values, of draws that hold no song with a value, are left out.
  """
  known = np.isfinite(resampled)
  if draws.counts.shape[1] < 2 or not np.isfinite(value) or not known.any():
    return Interval(float(value))
  every = np.repeat(resampled[known], draws.times[known])
  low, high = np.quantile(every - every.mean() + value, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
  return Interval(float(value), float(low), float(high))


def means(values: np.ndarray, draws: Draws) -> tuple[float, np.ndarray]:
  """The mean over songs of values [S], and of each draw [R].  NaN, a song without the value, is left out."""
  there = np.isfinite(values)
  filled = np.where(there, values, 0.0)
  return float(_over(filled.sum(), there.sum())), _over(draws.counts @ filled, draws.counts @ there)


def ratios(above: np.ndarray, below: np.ndarray, draws: Draws) -> tuple[float, np.ndarray]:
  """sum(above) / sum(below) over songs [S], and of each draw [R]: seconds of work for a second of audio."""
  there = np.isfinite(above) & np.isfinite(below)
  above, below = np.where(there, above, 0.0), np.where(there, below, 0.0)
  return float(_over(above.sum(), below.sum())), _over(draws.counts @ above, draws.counts @ below)


def _over(above, below):
  with np.errstate(invalid='ignore', divide='ignore'):
    return np.where(below > 0, above / below, np.nan)
