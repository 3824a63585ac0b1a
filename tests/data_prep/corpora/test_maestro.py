import csv

import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_prep.corpus import Skipped, SongSource
from data_prep.maestro.reader import CORPUS
from mt3_synth.errors import InputError
from tests.data_prep.corpora import layouts

pytestmark = pytest.mark.filterwarnings('ignore:.*start after the end:mt3_synth.errors.InputWarning')


@pytest.mark.parametrize(
  ('version', 'tables'), [('3.0.0', ['csv']), ('3.0.0', ['json']), ('2.0.0', ['json']), ('2.0.0', ['csv']), ('1.0.0', ['csv'])]
)
def test_every_form_of_the_table_says_the_same(tmp_path, version, tables):
  folder = layouts.write_maestro(tmp_path, version=version, tables=tables)
  songs = list(CORPUS.songs(folder, **CORPUS.configs[f'v{version[0]}']))
  assert [(song.id, song.split) for song in songs if isinstance(song, SongSource)] == [
    (f'2018/MIDI-Unprocessed_{number:02d}_R1_2018_wav--{number}', split) for number, split in enumerate(('train', 'validation', 'test'))
  ]


def test_columns_may_be_lists(tmp_path):
  layouts.write_maestro(tmp_path, tables=['csv'])
  rows = list(csv.DictReader((tmp_path / 'maestro-v3.0.0.csv').open(encoding='utf-8', newline='')))
  import json

  (tmp_path / 'maestro-v3.0.0.csv').unlink()
  (tmp_path / 'maestro-v3.0.0.json').write_text(json.dumps({name: [row[name] for row in rows] for name in layouts.MAESTRO_COLUMNS}))
  assert len(list(CORPUS.songs(tmp_path))) == 3


def test_the_pedal_holds_notes_and_both_channels_are_heard(tmp_path):
  songs = list(CORPUS.songs(layouts.write_maestro(tmp_path)))
  for song, rate in zip(songs, (44100, 48000, 44100), strict=True):
    assert isinstance(song, SongSource)
    read = song.read()
    assert read.notes.pitch.tolist() == [60, 64, 67]  # the fourth comes after the audio
    assert_allclose(read.notes.offset, [0.6, 0.6, 0.8], atol=2e-3)
    number = songs.index(song)
    expected = 0.75 * layouts.sound(rate=16000, seed=number) * 32768
    assert_allclose(read.audio[200:-200], expected[200:-200], atol=20, err_msg=f'{rate} Hz')


def test_the_configuration_must_be_the_folders(tmp_path):
  layouts.write_maestro(tmp_path, version='2.0.0')
  with pytest.raises(InputError, match='holds version 2.0.0, expected 3.0.0; choose config v2'):
    CORPUS.songs(tmp_path)
  with pytest.raises(InputError, match="version is '4', expected one of 3.0.0"):
    CORPUS.songs(tmp_path, version='4')
  assert next(iter(CORPUS.configs)) == 'v3'


@pytest.mark.parametrize('table', ['csv', 'json'])
def test_a_table_without_a_column_is_the_corpus_fault(tmp_path, table):
  columns = [name for name in layouts.MAESTRO_COLUMNS if name not in ('split', 'midi_filename')]
  layouts.write_maestro(tmp_path, tables=[table], columns=columns)
  with pytest.raises(InputError, match=f'maestro-v3.0.0.{table}: 3 rows without split, midi_filename; expected the columns split'):
    CORPUS.songs(tmp_path)


def test_a_damaged_table_is_the_corpus_fault(tmp_path):
  layouts.write_maestro(tmp_path, tables=['json'])
  (tmp_path / 'maestro-v3.0.0.json').write_text('{"split"')
  with pytest.raises(InputError, match='maestro-v3.0.0.json: no table of performances'):
    CORPUS.songs(tmp_path)


def test_a_bad_row_is_one_songs_fault(tmp_path):
  layouts.write_maestro(tmp_path, splits=('train', 'dev', 'test'))
  table = tmp_path / 'maestro-v3.0.0.csv'
  table.write_text(table.read_text()[: -len('1.2\n')] + 'long\n')
  first, second, third = CORPUS.songs(tmp_path)
  assert isinstance(first, SongSource)
  assert isinstance(second, Skipped)
  assert isinstance(third, Skipped)
  assert (second.reason, third.reason) == ('unknown split', 'unreadable description')
  assert "row 2: split is 'dev', expected train, validation, test" in second.message
  assert "duration is 'long'" in third.message


def test_the_real_excerpt(shared):
  (song,) = CORPUS.songs(shared / 'fixtures' / 'maestro', version='2.0.0')
  assert isinstance(song, SongSource)
  assert (song.split, song.seconds) == ('train', 2.0)
  read = song.read()
  assert_allclose(read.notes.onset, [0.983, 1.784], atol=1e-3)
  before, after = read.audio[: round(0.97 * 16000)], read.audio[round(1.0 * 16000) :]
  assert np.abs(after.astype(int)).max() > 5 * np.abs(before.astype(int)).max()
