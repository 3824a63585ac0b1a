"""One song's measures: what they are of a sound against itself, and what is said where they can't be had."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.audio.mel import log_mel_in_blocks
from mt3_synth.errors import InputError
from mt3_synth.evaluation import measure as module
from mt3_synth.evaluation.embedders import choose_embedder
from mt3_synth.evaluation.measure import OF_SOUND, Sound, measure, measure_minutes, reconstruction_distance

EMBEDDERS = [choose_embedder('logmel_stats')]
KEYS = ['mel_l1', *OF_SOUND, 'logmel_stats_distance']


def sound(audio):
  return Sound(np.asarray(audio, np.float32), log_mel_in_blocks(np.asarray(audio, np.float32)))


def music(samples=40000, seed=0):
  rng = np.random.default_rng(seed)
  return 0.3 * np.sin(np.arange(samples) * 0.1 * (1 + seed)) + 0.01 * rng.normal(size=samples)


def test_a_sound_is_no_distance_from_itself():
  found = measure(sound(music()), sound(music()), EMBEDDERS)
  assert list(found.metrics) == KEYS
  assert_allclose(list(found.metrics.values()), 0, atol=1e-6)
  assert found.warnings == []
  assert found.embeddings['logmel_stats'].shape == (2, 128)


def test_another_sound_is():
  found = measure(sound(music()), sound(music(seed=1)), EMBEDDERS)
  assert min(found.metrics.values()) > 0.01


def test_of_different_lengths_the_longer_is_cut_and_it_is_told():
  found = measure(sound(music()), sound(music()[:30000]), EMBEDDERS)
  assert found.warnings == ['1.88 s, its recording 2.50 s: the longer was cut']
  assert found.metrics['mel_l1'] < 0.1  # only the last windows differ
  assert found.metrics['logmel_stats_distance'] == 0


def test_silence_has_nothing_to_be_relative_to_and_all_else():
  found = measure(sound(np.zeros(40000)), sound(music()), EMBEDDERS)
  assert found.warnings == ['the recording is silent: chroma and MR-STFT, which are relative to it, say nothing']
  assert [key for key, value in found.metrics.items() if np.isnan(value)] == ['mr_stft', 'chroma_cosine_distance']
  silent = measure(sound(music()), sound(np.zeros(40000)), EMBEDDERS)
  assert np.isfinite(list(silent.metrics.values())).all()


@pytest.mark.parametrize('samples', [2, 100, 3000])
def test_a_clip_shorter_than_a_window_has_no_embedding_distance_and_it_is_told(samples):
  found = measure(sound(music(samples)), sound(music(samples, 1)), EMBEDDERS)
  assert found.warnings == [f'shorter ({samples / 16000:.2f} s) than a window of logmel_stats: it says nothing']
  assert [key for key, value in found.metrics.items() if np.isnan(value)] == ['logmel_stats_distance']


def test_what_is_no_sound_is_refused():
  broken = sound(music())
  broken.audio[5:8] = np.nan
  with pytest.raises(InputError, match='the sound has 3 samples of 40000 that are NaN'):
    measure(sound(music()), broken, EMBEDDERS)
  with pytest.raises(InputError, match='the recording has 0 samples of 0'):
    measure(Sound(np.zeros(0), np.zeros((0, 128))), sound(music()), EMBEDDERS)


def test_the_reconstruction_distance_by_hand():
  assert reconstruction_distance(np.array([[0, 0], [1, 1]]), np.array([[3, 4], [1, 1], [9, 9]])) == 2.5


def test_each_minute_for_itself(monkeypatch):
  monkeypatch.setattr(module, 'MINUTE', 6.0)  # of six seconds each
  target = np.tile(music(16000), 17)
  predicted = target.copy()
  predicted[6 * 16000 : 12 * 16000] *= 0.5
  minutes = measure_minutes(sound(target), sound(predicted), EMBEDDERS)
  assert [(each['minute'], each['seconds']) for each in minutes] == [(0, 6), (1, 6), (2, 5)]
  first, second, third = (each['metrics'] for each in minutes)
  assert first['loudness_l1'] == pytest.approx(0, abs=1e-6)
  assert third['loudness_l1'] == pytest.approx(0, abs=1e-6)
  assert second['loudness_l1'] == pytest.approx(6.02, abs=0.1)
  assert second['mel_l1'] == pytest.approx(np.log(2), abs=0.1)
  assert [each['seconds'] for each in measure_minutes(sound(target[: 10 * 16000]), sound(target), EMBEDDERS)] == [6]
  assert [each['seconds'] for each in measure_minutes(sound(target[:16000]), sound(target), EMBEDDERS)] == [1]
