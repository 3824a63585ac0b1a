import pickle

import pytest
from numpy.testing import assert_array_equal

from mt3_synth.data.songs import read_song
from mt3_synth.data.whole_songs import open_songs
from mt3_synth.errors import InputError
from tests.data.prepared import write_prepared
from tests.data.tiny import tiny_song, write_corpus


def test_tracks_are_read_one_by_one(tmp_path):
  root = write_corpus(tmp_path)
  songs = pickle.loads(pickle.dumps(open_songs(str(root), 'train')))
  assert songs.ids == ('Track00001', 'Track00002')
  song, expected = songs.read('Track00002'), read_song(root / 'train' / 'Track00002')
  assert song.notes == expected.notes
  assert_array_equal(song.audio, expected.audio)
  with pytest.raises(InputError, match='no tracks under test'):
    open_songs(str(root), 'test')


def test_a_damaged_track_is_told_when_it_is_read(tmp_path):
  root = write_corpus(tmp_path)
  (root / 'train' / 'Track00001' / 'metadata.yaml').write_text('none')
  songs = open_songs(root.name, 'train', str(root.parent))
  assert songs.ids == ('Track00001', 'Track00002')
  with pytest.raises(InputError, match='Track00001'):
    songs.read('Track00001')
  assert len(songs.read('Track00002').notes)


def test_a_prepared_corpus_gives_whole_songs_and_names_the_second_of_a_name(tmp_path):
  given = [tiny_song(12.0, 'a'), tiny_song(1.0, 'a', 1)]
  songs = pickle.loads(pickle.dumps(open_songs(str(write_prepared(tmp_path / 'tiny', {'test': given})), 'test')))
  assert songs.ids == ('a', 'a (2)')
  for name, song in zip(songs.ids, given, strict=True):
    found = songs.read(name)
    assert found.name == name
    assert found.notes == song.notes
    assert_array_equal(found.audio, song.audio)


def test_the_embedded_corpus():
  assert open_songs('embedded', 'test').ids == ('20_solo_piano.mid', '21_string_quartet.mid', '22_rock_band.mid')
