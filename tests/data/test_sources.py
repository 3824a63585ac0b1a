"""A corpus is found by its folder, whatever kind it is of."""

import json
import pickle

import pytest
from numpy.testing import assert_array_equal

from mt3_synth.data.prepared import songs_file
from mt3_synth.data.sources import PreparedSource, SongsInMemory, open_source
from mt3_synth.errors import InputError
from tests.data.prepared import write_prepared
from tests.data.tiny import tiny_model, tiny_song, write_corpus

SONGS = [tiny_song(12.0, 'a'), tiny_song(1.0, 'b', 1)]


@pytest.fixture
def data_dir(tmp_path):
  write_prepared(tmp_path / 'data' / 'tiny' / 'default' / '1.0.0', {'train': SONGS, 'validation': SONGS[:1]})
  return tmp_path / 'data'


def test_a_prepared_corpus_is_found_by_its_folder_or_its_name(data_dir):
  for source in (open_source(str(data_dir / 'tiny'), 'train'), open_source('tiny', 'train', str(data_dir))):
    assert isinstance(source, PreparedSource)
    assert source.song_frames.tolist() == [600, 50]
  assert open_source('tiny', 'validation', str(data_dir)).song_frames.tolist() == [600]


def test_tracks_are_held_in_memory(tmp_path):
  source = open_source(str(write_corpus(tmp_path / 'tracks')), 'train')
  assert isinstance(source, SongsInMemory)
  assert source.song_frames.tolist() == [100, 50]
  assert open_source('embedded', 'validation').song_frames.min() > 500


def test_notes_of_a_song_in_memory_are_encoded_once():
  source, config = SongsInMemory(SONGS), tiny_model()
  assert source.crops(0, 0, config) is source.crops(0, 2, config)
  again = pickle.loads(pickle.dumps(source))
  assert_array_equal(again.crops(0, 1, config).crop(300)['notes'], source.crops(0, 1, config).crop(300)['notes'])


def test_what_is_not_there_is_told(tmp_path, data_dir):
  with pytest.raises(InputError, match=r"no corpus 'urmp': expected a folder urmp; prepare it .*, or give DATA_DIR"):
    open_source('urmp', 'train')
  with pytest.raises(InputError, match=r"no corpus 'urmp': expected a folder urmp or .*data/urmp; prepare it"):
    open_source('urmp', 'train', str(data_dir))
  with pytest.raises(InputError, match="no split 'test'; there are: train, validation"):
    open_source('tiny', 'test', str(data_dir))
  (tmp_path / 'empty').mkdir()
  with pytest.raises(InputError, match='empty: no prepared corpus here'):
    open_source(str(tmp_path / 'empty'), 'train')


def test_a_split_without_songs_is_refused(tmp_path):
  folder = write_prepared(tmp_path / 'tiny', {'train': []}, shards=1)
  with pytest.raises(InputError, match="tiny: split 'train' has no songs"):
    open_source(str(folder), 'train')


def test_pieces_of_another_length_are_refused(data_dir):
  table = songs_file(data_dir / 'tiny' / 'default' / '1.0.0', 'train')
  rows = [json.loads(line) for line in table.read_text().splitlines()]
  rows[0]['pieces'] = 2
  table.write_text(''.join(json.dumps(row) + '\n' for row in rows))
  with pytest.raises(InputError, match=r'pieces of another length \(a of 192000 samples has 2 pieces, expected 3\); prepare'):
    open_source('tiny', 'train', str(data_dir))
