"""Ratings of a listening test, as its page saves them, and what they say with intervals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mt3_synth.errors import InputError
from mt3_synth.reporting.listening import ANCHOR, Key, read_key, systems_of
from mt3_synth.reporting.resampling import Draws, Interval, interval

# ITU-R BS.1534-3, section 4.1.2: who does not find the hidden reference is no expert listener.
REFERENCE_LEAST = 90.0
MISSED_MOST = 0.15  # of the trials


@dataclass(frozen=True)
class Ratings:
  """What listeners said.

  Attributes:
    systems: names; the hidden reference and the anchor are among them.
    songs: ids of the test's songs.
    listeners: ids of those that count.
    left_out: listener -> why not.
    scores: [listeners, songs, systems], 0 to 100; NaN where one was not given.
  """

  systems: tuple[str, ...]
  songs: tuple[str, ...]
  listeners: tuple[str, ...]
  left_out: dict[str, str]
  scores: np.ndarray

  def per_song(self, system: str) -> dict[str, float]:
    """The mean over listeners of each song that has a rating."""
    of_system = self.scores[:, :, self.systems.index(system)]
    return {song: float(np.nanmean(of_song)) for song, of_song in zip(self.songs, of_system.T, strict=True) if np.isfinite(of_song).any()}


def read_ratings(files: Sequence[str | Path], key_file: str | Path, *, everyone: bool = False) -> Ratings:
  """Reads the files that listeners saved.

  Args:
    files: one a listener.
    key_file: the test's key.
    everyone: count those too that did not find the hidden reference.

  Raises:
    InputError: a file is no ratings of that test, a listener is there twice, or nobody is left.
  """
  key = read_key(Path(key_file))
  systems, songs = tuple(systems_of(key)), tuple(trial['song'] for trial in key.trials.values())
  of_listener: dict[str, np.ndarray] = {}
  for file in map(Path, files):
    told = _read(file, key)
    if told['participant'] in of_listener:
      raise InputError(f'{file}: listener {told["participant"]!r} has another file; name one of the two')
    of_listener[told['participant']] = _scores(told['ratings'], key, systems, file)
  left_out = {} if everyone else _left_out(of_listener, systems.index(key.reference))
  kept = [listener for listener in of_listener if listener not in left_out]
  if not kept:
    raise InputError('no listener found the hidden reference often enough; --all_listeners counts them nevertheless')
  return Ratings(systems, songs, tuple(kept), left_out, np.stack([of_listener[listener] for listener in kept]))


def _read(file: Path, key: Key) -> dict[str, Any]:
  try:
    told = json.loads(file.read_text(encoding='utf-8'))
  except OSError as e:
    raise InputError(f'{file}: {e.strerror}; expected a file that the page of a listening test saved') from None
  except ValueError:
    raise InputError(f'{file}: not JSON; expected a file that the page of a listening test saved') from None
  if not isinstance(told, dict) or not {'test', 'participant', 'ratings'} <= set(told):
    raise InputError(f'{file}: has no test, participant and ratings; expected a file that the page of a listening test saved')
  if told['test'] != key.test:
    raise InputError(f'{file}: is of test {told["test"]!r}, the key is of test {key.test!r}; give the key that belongs to it')
  return told


def _scores(ratings: Sequence[Mapping[str, Any]], key: Key, systems: tuple[str, ...], file: Path) -> np.ndarray:
  """[songs, systems] of one listener."""
  scores = np.full((len(key.trials), len(systems)), np.nan)
  trials = list(key.trials)
  for rating in ratings:
    system = key.trials.get(rating.get('trial', ''), {'stimuli': {}})['stimuli'].get(rating.get('stimulus', ''))
    score = rating.get('score')
    if system is None:
      raise InputError(f'{file}: sound {rating.get("stimulus")!r} of {rating.get("trial")!r} is not in the key; is it the right one?')
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not 0 <= score <= 100:
      raise InputError(f'{file}: score is {score!r} in {rating["trial"]!r}, expected a number from 0 to 100')
    scores[trials.index(rating['trial']), systems.index(system)] = score
  return scores


def _left_out(of_listener: Mapping[str, np.ndarray], reference: int) -> dict[str, str]:
  found = {}
  for listener, scores in of_listener.items():
    rated = scores[:, reference][np.isfinite(scores[:, reference])]
    missed = int((rated < REFERENCE_LEAST).sum())
    if missed > MISSED_MOST * len(rated):
      found[listener] = f'rated the hidden reference below {REFERENCE_LEAST:g} in {missed} of {len(rated)} trials'
    elif not len(rated):
      found[listener] = 'rated no hidden reference'
  return found


@dataclass(frozen=True)
class Rated:
  """Ratings with intervals, by system."""

  found: dict[str, Interval]
  differences: dict[str, Interval]


def rate(ratings: Ratings, baseline: str, draws: int, seed: int) -> Rated:
  """Means over all ratings, with intervals by a bootstrap over listeners and over songs at once; differences are of the same draws.

  Of one listener there is no interval: what others would say can't be known.
  """
  rng = np.random.default_rng(seed)
  listeners, songs, _ = ratings.scores.shape
  counts = rng.multinomial(listeners, np.full(listeners, 1 / listeners), size=draws)
  song_counts = rng.multinomial(songs, np.full(songs, 1 / songs), size=draws)
  there = np.isfinite(ratings.scores)
  filled = np.where(there, ratings.scores, 0.0)
  weighted = lambda of: np.einsum('rp,rs,psk->rk', counts, song_counts, of, optimize=True)
  with np.errstate(invalid='ignore', divide='ignore'):
    drawn, values = weighted(filled) / weighted(there.astype(float)), filled.sum(axis=(0, 1)) / there.sum(axis=(0, 1))
  as_draws = Draws(counts, np.ones(draws, int))
  found = {name: interval(values[k], drawn[:, k], as_draws) for k, name in enumerate(ratings.systems)}
  differences = {}
  if baseline in ratings.systems:
    base = ratings.systems.index(baseline)
    for k, name in enumerate(ratings.systems):
      if k != base:
        differences[name] = interval(values[k] - values[base], drawn[:, k] - drawn[:, base], as_draws)
  return Rated(found, differences)


def in_words(ratings: Ratings, rated: Rated) -> str:
  """Who listened, and how the anchor fared."""
  words = f'{len(ratings.listeners)} listeners, {len(ratings.songs)} songs, {int(np.isfinite(ratings.scores).sum())} ratings'
  anchor = rated.found.get(ANCHOR)
  if anchor is not None and np.isfinite(anchor.value):
    words += f'; the low anchor {anchor.value:.0f}'
    words += f' ({anchor.low:.0f} to {anchor.high:.0f})' if np.isfinite(anchor.low) else ''
  return words
