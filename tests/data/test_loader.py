"""Batch n is a function of (seed, n) alone."""

import itertools
import warnings

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.audio.mel import samples_for
from mt3_synth.data.examples import Crops
from mt3_synth.data.loader import FIRST_SEGMENT_SHARE, CropLoader
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes
from tests.data.tiny import CONTEXT, FRAMES, tiny_model, tiny_song

SONGS = [tiny_song(2.0, 'a'), tiny_song(1.0, 'b', 1)]


def loader(seed=0, batch_size=3, conditioning='tokens', songs=SONGS):
  return CropLoader(songs, tiny_model(conditioning), batch_size, seed)


def same(a, b):
  return jax.tree.all(jax.tree.map(np.array_equal, a, b))


@pytest.mark.parametrize('conditioning', ['tokens', 'aligned'])
def test_batches_repeat_in_any_order(conditioning):
  first = loader(conditioning=conditioning)
  batches = [first.batch(n) for n in range(4)]
  again = loader(conditioning=conditioning)
  assert all(same(again.batch(n), batches[n]) for n in (3, 1, 0, 2, 1))
  assert not any(same(a, b) for a, b in itertools.combinations(batches, 2))


def test_seeds_differ():
  assert not same(loader(0).batch(0), loader(1).batch(0))


def test_a_walk_begins_where_it_is_told():
  walk = loader().from_step(5)
  assert all(same(next(walk), loader().batch(n)) for n in (5, 6, 7))


def test_a_batch_stacks_crops():
  batch = loader(batch_size=3).batch(0)
  shapes = {name: (array.shape, array.dtype) for name, array in batch.items()}
  assert shapes == {
    'notes': ((3, 64), np.int32),
    'audio': ((3, samples_for(FRAMES)), np.int16),
    'frames': ((3,), np.int32),
    'context_audio': ((3, samples_for(CONTEXT)), np.int16),
    'context_frames': ((3,), np.int32),
  }
  aligned = loader(batch_size=3, conditioning='aligned').batch(0)['notes']
  assert {array.shape for array in aligned.values()} == {(3, 64)}


@pytest.fixture
def draws(monkeypatch):
  """(song, start) of many crops."""
  monkeypatch.setattr(Crops, 'crop', lambda self, start: {'long': np.int32(self.excerpt.song_frames == 100), 'start': np.int32(start)})
  batch = loader(batch_size=20000).batch(0)
  return batch['long'] == 1, batch['start']


def test_songs_are_drawn_in_proportion_to_their_length(draws):
  long, _ = draws
  assert_allclose(long.mean(), 2 / 3, atol=0.015)  # four and a half standard deviations


def test_starts_are_uniform_but_for_the_share_of_first_segments(draws):
  long, start = draws
  count = 100 - FRAMES + 1
  share = np.bincount(start[long]) / long.sum()
  assert len(share) == count  # the last crop ends with the song
  assert_allclose(share[0], FIRST_SEGMENT_SHARE + (1 - FIRST_SEGMENT_SHARE) / count, atol=0.007)
  assert_allclose(share[1:], (1 - FIRST_SEGMENT_SHARE) / count, atol=0.005)


def test_a_song_shorter_than_a_crop_starts_at_its_start():
  batch = loader(songs=[tiny_song(0.2)]).batch(0)
  assert_array_equal(batch['frames'], 10)
  assert_array_equal(batch['context_frames'], 0)


def test_notes_that_do_not_fit_are_left_out_silently():
  chords = Notes.from_rows([(t, t + 0.01, pitch) for t in np.arange(0, 2, 0.05) for pitch in range(40, 80)])
  dense = Song('dense', chords, SONGS[0].audio)
  with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    batch = loader(songs=[dense]).batch(0)
  assert not said
  assert (batch['notes'] > 0).sum(axis=1).min() > 50


def test_a_fault_in_the_background_reaches_the_caller(monkeypatch):
  walk = loader().from_step(0)
  next(walk)
  monkeypatch.setattr(Crops, 'crop', lambda self, start: 1 / 0)
  with pytest.raises(ZeroDivisionError):
    list(itertools.islice(walk, 3))


def test_no_songs_are_refused():
  with pytest.raises(InputError, match='no songs'):
    loader(songs=[])
