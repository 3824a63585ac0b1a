"""Ratings: who counts, and what they say."""

import json

import numpy as np
import pytest

from mt3_synth.errors import InputError
from mt3_synth.reporting.listening import ANCHOR
from mt3_synth.reporting.ratings import Ratings, in_words, rate, read_ratings

SYSTEMS = ('ground truth', 'AR', 'DDPM', ANCHOR)


@pytest.fixture
def key_file(tmp_path):
  stimuli = lambda t: {f'{t}{k}': name for k, name in enumerate(SYSTEMS)}
  trials = {f'trial {t}': {'song': f'song {t}', 'start': 0, 'seconds': 1, 'reference': 'r', 'stimuli': stimuli(t)} for t in (1, 2)}
  file = tmp_path / 'test.key.json'
  file.write_text(json.dumps({'test': 'abcd', 'reference': 'ground truth', 'trials': trials}))
  return file


def saved(folder, listener, scores, **changes):
  """A file as the page saves it; scores by trial, then by system."""
  rating = lambda t, k, score: {'trial': f'trial {t}', 'stimulus': f'{t}{k}', 'score': score, 'plays': 1}
  ratings = [rating(t, k, score) for t, row in scores.items() for k, score in enumerate(row)]
  file = folder / f'{listener}.json'
  file.write_text(json.dumps({'kind': 'mt3_synth ratings', 'test': 'abcd', 'participant': listener, 'ratings': ratings} | changes))
  return file


def test_scores_find_their_systems(key_file, tmp_path):
  files = [saved(tmp_path, 'ann', {1: [100, 40, 60, 10], 2: [95, 50, 70, 20]}), saved(tmp_path, 'bob', {2: [92, 30, 30, 5]})]
  ratings = read_ratings(files, key_file)
  assert ratings.systems == SYSTEMS
  assert ratings.listeners == ('ann', 'bob')
  assert ratings.scores.shape == (2, 2, 4)
  assert ratings.per_song('AR') == {'song 1': 40, 'song 2': 40}
  found = rate(ratings, 'AR', 200, 0)
  assert found.found['DDPM'].value == pytest.approx((60 + 70 + 30) / 3)
  assert found.differences['DDPM'].value == pytest.approx((20 + 20 + 0) / 3)
  assert 'AR' not in found.differences
  assert in_words(ratings, found).startswith('2 listeners, 2 songs, 12 ratings; the low anchor 12 (')


def test_who_does_not_find_the_reference_does_not_count(key_file, tmp_path):
  ann = saved(tmp_path, 'ann', {1: [100, 40, 60, 10], 2: [95, 50, 70, 20]})
  files = [ann, saved(tmp_path, 'deaf', {1: [80, 90, 90, 90], 2: [99, 1, 1, 1]})]
  ratings = read_ratings(files, key_file)
  assert ratings.listeners == ('ann',)
  assert ratings.left_out == {'deaf': 'rated the hidden reference below 90 in 1 of 2 trials'}
  assert read_ratings(files, key_file, everyone=True).listeners == ('ann', 'deaf')
  with pytest.raises(InputError, match='--all_listeners'):
    read_ratings(files[1:], key_file)


def test_one_listener_has_no_interval(key_file, tmp_path):
  ratings = read_ratings([saved(tmp_path, 'ann', {1: [100, 40, 60, 10]})], key_file)
  found = rate(ratings, 'AR', 100, 0)
  assert found.found['DDPM'].value == 60
  assert not np.isfinite(found.found['DDPM'].low)
  assert not found.differences['DDPM'].excludes_zero


def test_a_difference_of_all_listeners_is_told_and_one_of_chance_is_not():
  rng = np.random.default_rng(0)
  scores = np.stack([np.full((12, 8), 50.0), np.full((12, 8), 50.0), np.full((12, 8), 65.0)], axis=-1) + rng.normal(0, 15, (12, 8, 3))
  ratings = Ratings(('AR', 'again', 'DDPM'), tuple(map(str, range(8))), tuple(map(str, range(12))), {}, scores)
  found = rate(ratings, 'AR', 1000, 0)
  assert found.differences['DDPM'].excludes_zero
  assert not found.differences['again'].excludes_zero


@pytest.mark.parametrize(
  ('scores', 'changes', 'says'),
  [
    ({1: [100, 40, 60, 10]}, {'test': 'other'}, "of test 'other', the key is of test 'abcd'"),
    ({1: [100, 40, 60, 101]}, {}, "score is 101 in 'trial 1', expected a number from 0 to 100"),
    ({1: [100, None]}, {}, 'score is None'),
    ({3: [100]}, {}, "sound '30' of 'trial 3' is not in the key"),
    ({}, {'ratings': None, 'kind': ''}, 'has no test, participant and ratings'),
  ],
)
def test_a_file_that_does_not_fit_is_told(key_file, tmp_path, scores, changes, says):
  file = saved(tmp_path, 'ann', scores, **changes)
  if changes.get('ratings', 0) is None:
    file.write_text('{}')
  with pytest.raises(InputError, match=says):
    read_ratings([file], key_file)


def test_files_are_looked_at(key_file, tmp_path):
  with pytest.raises(InputError, match='No such file'):
    read_ratings([tmp_path / 'none.json'], key_file)
  (tmp_path / 'bad.json').write_text('{')
  with pytest.raises(InputError, match='not JSON'):
    read_ratings([tmp_path / 'bad.json'], key_file)
  twice = [saved(tmp_path, name, {1: [100, 1, 1, 1]}, participant='ann') for name in ('ann', 'ann again')]
  with pytest.raises(InputError, match="listener 'ann' has another file"):
    read_ratings(twice, key_file)
