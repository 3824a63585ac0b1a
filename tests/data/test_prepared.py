"""A prepared corpus gives back the songs it was made of."""

import pickle

import pytest
from numpy.testing import assert_array_equal

from mt3_synth.data.pieces import pieces_of
from mt3_synth.data.prepared import PreparedSplit, find_prepared
from mt3_synth.errors import InputError
from tests.data.prepared import write_prepared
from tests.data.tiny import tiny_song

SONGS = [tiny_song(seconds, f'song {n}', n) for n, seconds in enumerate((12.0, 3.0, 20.0, 6.0, 1.0))]


@pytest.fixture
def folder(tmp_path):
  return write_prepared(tmp_path / 'tiny' / 'default' / '1.0.0', {'train': SONGS, 'test': SONGS[:1]})


def test_songs_come_back(folder):
  split = PreparedSplit(folder, 'train')
  assert len(split) == sum(pieces_of(len(song.audio)) for song in SONGS) == 3 + 1 + 4 + 2 + 1
  for number, song in enumerate(SONGS):
    read = split.song(number).song
    assert read.notes == song.notes
    assert_array_equal(read.audio, song.audio)
  assert [split.song_of(piece) for piece in (0, 2, 3, 4, 7, 8, 10)] == [0, 0, 1, 2, 2, 3, 4]


def test_an_excerpt_keeps_to_its_song(folder):
  split = PreparedSplit(folder, 'train')
  excerpt = split.excerpt(5, 2, 9)  # the second piece of song 2
  assert (excerpt.song.name, excerpt.first_frame, excerpt.frames) == ('song 2', 0, 1000)
  excerpt = split.excerpt(6, 1, 0)
  assert (excerpt.first_frame, excerpt.frames, excerpt.song_frames) == (256, 512, 1000)


def test_workers_get_a_split_by_pickle(folder):
  split = PreparedSplit(folder, 'train')
  split.song(0)
  assert pickle.loads(pickle.dumps(split)).song(4).song.notes == SONGS[4].notes


def test_a_corpus_is_found_from_above(folder, tmp_path):
  assert find_prepared(tmp_path) == find_prepared(folder) == folder
  write_prepared(tmp_path / 'other', {'train': SONGS[:1]})
  with pytest.raises(InputError, match=r'holds 2 prepared corpora \(other, tiny/default/1.0.0\)'):
    find_prepared(tmp_path)
  with pytest.raises(InputError, match='no prepared corpus here'):
    find_prepared(tmp_path / 'nothing')


def test_faults_are_told(folder):
  with pytest.raises(InputError, match="no split 'validation'; there are: test, train"):
    PreparedSplit(folder, 'validation')
  shard = folder / 'tiny-train.array_record-00001-of-00002'
  whole = shard.read_bytes()
  shard.write_bytes(whole[: len(whole) // 2])
  with pytest.raises(InputError, match='00001-of-00002: no whole ArrayRecord file|pieces in the files'):
    PreparedSplit(folder, 'train').song(4)
  shard.unlink()
  with pytest.raises(InputError, match=r"files of split 'train' are missing \(1 found\)"):
    PreparedSplit(folder, 'train')
  table = folder / 'songs-test.jsonl'
  table.write_text('{"song_id": "a"}\n')
  with pytest.raises(InputError, match='songs-test.jsonl:1: no row of a table of songs'):
    PreparedSplit(folder, 'test')
