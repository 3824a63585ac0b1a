"""Pieces tell what the song tells."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mt3_synth.config import MelConfig, ModelConfig, NetworkConfig
from mt3_synth.data.examples import Crops, pieces_around
from mt3_synth.data.pieces import PIECE_FRAMES, PIECE_SAMPLES, cut_song, decode_piece, encode_piece, frames_of, join, whole
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes, concatenate
from tests.data.tiny import melody, sound

SECONDS = 23.0  # four and a half pieces
DRONE = Notes.from_rows([(0.5, 21.0, 40), (3.0, 3.0, 50), (5.115, 5.2, 60), (5.125, 5.3, 61), (12.0, 12.1, 36, 90, 0, True)])
SONG = Song('a/b', concatenate([melody(SECONDS), DRONE]), sound(SECONDS), 'test', 'CC0-1.0')


def equal(one: Song, other: Song) -> bool:
  return one.notes == other.notes and np.array_equal(one.audio, other.audio) and one.name == other.name and one.licence == other.licence


def test_pieces_join_to_the_song():
  pieces = cut_song(SONG)
  assert [len(piece.audio) for piece in pieces] == [PIECE_SAMPLES] * 4 + [int(SECONDS * 16000) - 4 * PIECE_SAMPLES]
  assert [piece.id for piece in pieces] == [f'a/b/0000{n}' for n in range(5)]
  assert equal(join(pieces).song, SONG)
  assert equal(whole(SONG).song, SONG)
  assert join(pieces).song_frames == whole(SONG).song_frames == frames_of(len(SONG.audio))


def test_a_piece_knows_what_began_before_it():
  held = np.flatnonzero(SONG.notes.pitch == 40)
  for piece in cut_song(SONG):
    assert held in piece.rows, piece.index  # it sounds until 21 s, and 3 s on for those told of it late


def test_records_keep_every_bit():
  for piece in cut_song(SONG):
    read = decode_piece(encode_piece(piece, b'proto'))
    assert read.notes == piece.notes
    assert_array_equal(read.audio, piece.audio)
    assert_array_equal(read.rows, piece.rows)
    told = ('song_id', 'index', 'song_samples', 'corpus', 'licence')
    assert [getattr(read, name) for name in told] == [getattr(piece, name) for name in told]
    assert encode_piece(read, b'proto') == encode_piece(piece, b'proto')


@pytest.mark.parametrize('conditioning', ['tokens', 'aligned'])
@pytest.mark.parametrize(('target', 'context'), [(256, 256), (128, 64), (300, 0)])
def test_a_crop_of_pieces_is_the_crop_of_the_song(conditioning, target, context):
  network = NetworkConfig(conditioning=conditioning, target_frames=target, context_frames=context, note_length=512)
  config = ModelConfig(network=network)
  pieces, song = cut_song(SONG), Crops(whole(SONG), config)
  before, after = pieces_around(config)
  for start in (0, 1, 100, 255, 256, 511, 512, 600, 1023, 1024, 1149):
    index = start // PIECE_FRAMES
    crop, expected = Crops(join(pieces[max(index - before, 0) : index + after + 1]), config).crop(start), song.crop(start)
    for name in expected:
      assert_equal_trees(crop[name], expected[name], (name, start))


def assert_equal_trees(one, other, where):
  if isinstance(other, dict):
    for name in other:
      assert_array_equal(one[name], other[name], err_msg=str((*where, name)))
  else:
    assert_array_equal(one, other, err_msg=str(where))


def test_notes_past_the_audio_are_in_no_piece():
  late = Song('late', Notes.from_rows([(0.0, 1.0, 60), (1.0, 2.0, 61), (0.5, 9.0, 62)]), sound(1.0))
  assert join(cut_song(late)).song.notes.pitch.tolist() == [60, 62]


def test_faults_are_told():
  pieces = cut_song(SONG)
  with pytest.raises(InputError, match='does not follow a/b/00000'):
    join([pieces[0], pieces[2]])
  with pytest.raises(InputError, match='a/b: has no audio'):
    cut_song(dataclasses.replace(SONG, audio=SONG.audio[:0]))
  record = encode_piece(pieces[0])
  with pytest.raises(InputError, match=r'file-3: \d+ bytes that are no tf.train.Example'):
    decode_piece(record[: len(record) // 2], 'file-3')
  with pytest.raises(InputError, match='no piece of a song'):
    decode_piece(b'')


def test_a_piece_is_a_segment():
  assert 256 * MelConfig().hop == PIECE_SAMPLES
