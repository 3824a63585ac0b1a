from typing import Any

from numpy.testing import assert_array_equal

from data_prep.rendered.reader import CORPUS
from mt3_synth.data.songs import read_corpus
from tests.data_prep.corpora import layouts


def listed(source) -> list[Any]:
  return list(CORPUS.songs(source))


def test_the_embedded_corpus_is_a_source():
  songs = listed('embedded')
  assert [sum(song.split == split for song in songs) for split in ('train', 'validation', 'test')] == [17, 2, 3]
  for song, plain in zip((song for song in songs if song.split == 'test'), read_corpus('embedded', 'test'), strict=True):
    read = song.read()
    assert (read.name, read.licence) == (plain.name, 'CC0-1.0 AND MIT')
    assert read.notes == plain.notes
    assert_array_equal(read.audio, plain.audio)


def test_songs_are_named_as_their_midi_files(tmp_path):
  songs = listed(layouts.write_rendered(tmp_path))
  assert [(song.id, song.split) for song in songs] == [('album/piece 0.mid', 'train'), ('album/piece 1.mid', 'validation')]


def test_a_damaged_description_is_one_songs_fault(tmp_path):
  layouts.write_rendered(tmp_path)
  (tmp_path / 'train' / 'Track00001' / 'metadata.yaml').write_text('stems: 3')
  first, second = listed(tmp_path)
  assert (first.id, first.reason) == ('Track00001', 'unreadable description')
  assert second.id == 'album/piece 1.mid'
