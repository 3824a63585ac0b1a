"""A crop tells what the whole song tells at that place."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.audio.mel import log_mel, samples_for
from mt3_synth.data.examples import Crops
from mt3_synth.data.pieces import whole
from mt3_synth.notes import encode_song, song_events
from mt3_synth.notes.aligned import aligned_notes
from tests.data.tiny import CONTEXT, FRAMES, HOP, tiny_model, tiny_song

SONG = tiny_song(2.0)  # 100 frames
SHORTER = 40  # samples that the last frame lacks


@pytest.fixture(scope='module')
def frames_of_song():
  return np.asarray(log_mel(SONG.audio))


@pytest.fixture(scope='module')
def crops():
  return Crops(whole(SONG), tiny_model())


def mel(audio, frames):
  return np.asarray(log_mel(audio, frames=frames))


@pytest.mark.parametrize('start', [0, 3, 8, 50, 84])
def test_audio_gives_the_frames_of_the_whole_song(crops, frames_of_song, start):
  crop = crops.crop(start)
  assert crop['audio'].dtype == np.int16
  assert len(crop['audio']) == samples_for(FRAMES)
  assert crop['frames'] == FRAMES
  assert_allclose(mel(crop['audio'], FRAMES), frames_of_song[start : start + FRAMES], atol=1e-4)


@pytest.mark.parametrize(('start', 'before'), [(0, 0), (3, 3), (8, 8), (50, 8)])
def test_context_precedes_the_target(crops, frames_of_song, start, before):
  crop = crops.crop(start)
  assert crop['context_frames'] == before
  assert len(crop['context_audio']) == samples_for(CONTEXT)
  assert_allclose(mel(crop['context_audio'], CONTEXT)[:before], frames_of_song[start - before : start], atol=1e-4)


def test_the_last_crop_says_how_far_the_song_goes(crops, frames_of_song):
  crop = crops.crop(90)
  assert crop['frames'] == 10
  assert_allclose(mel(crop['audio'], FRAMES)[:10], frames_of_song[90:], atol=1e-4)
  assert not crop['audio'][10 * HOP :].any()


def test_a_begun_frame_counts():
  song = tiny_song(2.0)
  shorter = Crops(whole(type(song)('short', song.notes, song.audio[:-SHORTER])), tiny_model())
  assert shorter.excerpt.song_frames == 100


def test_tokens_are_those_of_the_whole_song(crops):
  config = tiny_model()
  rows = encode_song(song_events(SONG.notes, config.notes), 96, FRAMES, length=64)
  assert_array_equal([crops.crop(start)['notes'] for start in range(0, 96, FRAMES)], rows)
  assert (rows > 0).any(axis=1).all()


def test_aligned_notes_count_from_the_crops_start():
  config = tiny_model('aligned')
  crop = Crops(whole(SONG), config).crop(20)
  expected = aligned_notes(SONG.notes, 20, FRAMES, config.notes, size=64)
  assert set(crop['notes']) == set(expected)
  for name, column in expected.items():
    assert_array_equal(crop['notes'][name], column)
  heard = crop['notes']['onset'][crop['notes']['mask']]
  assert_allclose(heard + 20, SONG.notes.onset[: len(heard)] * 50, atol=1e-4)
