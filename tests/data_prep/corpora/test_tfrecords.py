"""TFRecords of earlier users become the same songs, read without TensorFlow."""

import importlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from data_prep.corpus import Corpus, Skipped, SongError
from data_prep.tfrecords import crc32c
from mt3_synth.errors import InputError, InputWarning
from tests.data_prep.corpora import layouts

pytest.importorskip('note_seq', reason='NoteSequences need note-seq: pip install mt3_synth[data]')
records: Any = importlib.import_module('tests.data_prep.corpora.records')

CORPORA = ('maestro', 'slakh2100', 'cerberus4', 'urmp', 'guitarset', 'musicnet')
every_corpus = pytest.mark.parametrize('corpus', CORPORA)


def reader(corpus: str) -> Corpus:
  return importlib.import_module(f'data_prep.{corpus}.reader').CORPUS


def write(corpus: str, folder: Path) -> Path:
  return getattr(records, f'write_{corpus.removesuffix("2100")}_records')(folder)


def listed(corpus: str, folder: Path, **options) -> list[Any]:
  return list(reader(corpus).songs(folder, **options))


def test_the_checksum_is_castagnolis():
  assert crc32c(b'123456789') == 0xE3069283  # the check value of RFC 3720's polynomial
  assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


@pytest.mark.slow
def test_files_are_those_that_tensorflow_writes(tmp_path):
  tf = pytest.importorskip('tensorflow')
  example = records.slakh_example('Track00001', ('S03', 'S01'))
  data = records.write_tfrecord(tmp_path / 'ours', [example]).read_bytes()
  payload = data[12:-4]
  with tf.io.TFRecordWriter(str(tmp_path / 'slakh_train.tfrecord')) as writer:
    writer.write(payload)
    writer.write(payload)
  theirs = (tmp_path / 'slakh_train.tfrecord').read_bytes()
  assert theirs[:12] == data[:12]
  parsed = tf.train.Example.FromString(payload)
  assert parsed.features.feature['track_id'].bytes_list.value[0] == b'Track00001'
  assert [song.id for song in listed('slakh2100', tmp_path)] == ['Track00001/S03+S01', 'Track00001/S03+S01/2']


@every_corpus
def test_songs_are_what_the_contract_says(corpus, tmp_path):
  songs = listed(corpus, write(corpus, tmp_path))
  assert songs == listed(corpus, tmp_path)
  assert len({song.id for song in songs}) == len(songs)
  for song in pickle.loads(pickle.dumps(songs)):
    assert not isinstance(song, Skipped)
    read = song.read()
    assert (read.name, read.corpus, read.licence) == (song.id, corpus, reader(corpus).licence)
    assert (read.audio.dtype, read.audio.shape) == (np.int16, (19200,))
    assert len(read.notes) >= 5


def test_splits_are_in_the_names_of_the_files(tmp_path):
  assert [(song.id, song.split) for song in listed('musicnet', write('musicnet', tmp_path))] == [
    ('2', 'test'),
    ('0', 'train'),
    ('1', 'validation'),
  ]
  (tmp_path / 'musicnet-test.tfrecord-00000-of-00001').rename(tmp_path / 'musicnet-contest.tfrecord')
  with pytest.raises(InputError, match='musicnet-contest.tfrecord: of which split'):
    reader('musicnet').songs(tmp_path)


def test_maestro_is_whole_and_of_one_version(tmp_path):
  first, second, third = listed('maestro', write('maestro', tmp_path))
  assert [song.split for song in (first, second, third)] == ['train', 'train', 'validation']
  assert_allclose(first.read().audio[200:-200], layouts.sound(rate=16000, seed=0)[200:-200] * 32768, atol=20)
  assert first.read().notes == layouts.melody(seed=0)
  with pytest.raises(InputError, match='holds version 3.0.0, expected 1.0.0; choose config v3'):
    reader('maestro').songs(tmp_path, version='1.0.0')


def test_guitars_and_parts_get_their_programs(tmp_path):
  assert set(listed('guitarset', write('guitarset', tmp_path / 'guitarset'))[0].read().notes.program) == {24}
  notes = listed('urmp', write('urmp', tmp_path / 'urmp'))[0].read().notes
  assert set(notes.pitch[notes.program == 40] >= 70) == {True}
  assert set(notes.pitch[notes.program == 57] >= 70) == {False}


def test_slakhs_stems_get_their_programs_and_training_is_trimmed(tmp_path):
  songs = listed('slakh2100', write('slakh2100', tmp_path))
  assert [(song.id, song.split) for song in songs] == [
    ('Track00001/S03+S01', 'train'),
    ('Track00001/S00+S04', 'train'),
    ('Track00001/S03+S01/2', 'train'),
    ('Track01501/S03+S01+S00+S04', 'validation'),
  ]
  train, validation = songs[0].read(), songs[3].read()
  assert_array_equal(train.audio, np.rint((records.floats(3) + records.floats(1)) * 32768).astype(np.int16))
  assert set(zip(train.notes.program.tolist(), train.notes.is_drum.tolist(), strict=True)) == {(33, False), (0, True)}
  for notes, trimmed in ((train.notes, True), (validation.notes, False)):
    bass = notes.select(notes.program == 33)
    assert bass.pitch[0] == bass.pitch[1]
    assert (bass.offset[0] <= bass.onset[1]) == trimmed
  with pytest.raises(InputError, match='TFRecords are read as they are'):
    reader('slakh2100').songs(tmp_path, lower_bass=True)


def test_cerberus4s_classes_go_by_their_order(tmp_path):
  song = next(song for song in listed('cerberus4', write('cerberus4', tmp_path)) if song.split == 'test')
  notes = song.read().notes
  for stem, program, drums in (('S03', 32, False), ('S01', 0, True), ('S00', 24, False), ('S04', 0, False)):
    own = notes.select((notes.program == program) & (notes.is_drum == drums))
    assert own.pitch[2:].tolist() == layouts.melody(seed=int(stem[1:])).pitch[2:].tolist()


def test_slakhs_records_are_no_quartets(tmp_path):
  write('slakh2100', tmp_path)
  with pytest.raises(SongError, match='2 note sequences; expected bass, drums, guitar, piano'):
    listed('cerberus4', tmp_path)[0].read()


def test_records_of_another_corpus_are_told(tmp_path):
  write('guitarset', tmp_path)
  with pytest.raises(InputError, match='its records hold audio, id, sequence, velocity_range; expected also sample_rate'):
    reader('musicnet').songs(tmp_path)


def test_missing_files_of_a_split_are_said(tmp_path):
  write('maestro', tmp_path)
  (tmp_path / 'maestro-v3.0.0_ns_wav_train.tfrecord-00001-of-00002').unlink()
  with pytest.warns(InputWarning, match='maestro-v3.0.0_ns_wav_train.tfrecord: 1 of 2 files are there'):
    assert len(listed('maestro', tmp_path)) == 2


def test_a_repeated_id_is_taken_once(tmp_path):
  write('musicnet', tmp_path)
  (tmp_path / 'musicnet-test.tfrecord').write_bytes((tmp_path / 'musicnet-train.tfrecord-00000-of-00001').read_bytes())
  assert [song.id for song in listed('musicnet', tmp_path) if isinstance(song, Skipped) and song.reason == 'duplicate id'] == ['0']


def slakh_train(folder: Path) -> tuple[Path, bytes, int]:
  """The file of three records, its bytes, where the second begins."""
  file = write('slakh2100', folder) / 'slakh_multi_full_subsets_10_train.tfrecord-00000-of-00001'
  data = file.read_bytes()
  return file, data, 16 + int.from_bytes(data[:8], 'little')


def faults(folder: Path) -> dict[str, tuple[str, str]]:
  return {song.id: (song.reason, song.message) for song in listed('slakh2100', folder) if isinstance(song, Skipped)}


def test_a_file_that_was_cut_off_loses_its_last_record(tmp_path):
  file, data, second = slakh_train(tmp_path)
  file.write_bytes(data[: second + 99])
  ((id, (reason, message)),) = faults(tmp_path).items()
  assert (id, reason) == (f'{file.name}/1', 'damaged record')
  assert 'is cut off' in message
  assert [song.id for song in listed('slakh2100', tmp_path) if song.id.startswith('Track')] == [
    'Track00001/S03+S01',
    'Track01501/S03+S01+S00+S04',
  ]


def test_a_damaged_length_loses_the_rest_of_the_file(tmp_path):
  file, data, second = slakh_train(tmp_path)
  file.write_bytes(data[:second] + b'\xff' + data[second + 1 :])
  ((id, (reason, message)),) = faults(tmp_path).items()
  assert (id, reason) == (f'{file.name}/rest', 'damaged record')
  assert f'damaged at byte {second}' in message


def test_damaged_data_are_one_records_fault(tmp_path):
  file, data, second = slakh_train(tmp_path)
  file.write_bytes(data[: second + 12] + bytes(99) + data[second + 12 + 99 :])
  ((id, (reason, message)),) = faults(tmp_path).items()
  assert (id, reason) == (f'{file.name}/1', 'damaged record')
  assert 'no tf.train.Example' in message


def test_what_is_no_tfrecord_file_is_told(tmp_path):
  (tmp_path / 'train.tfrecord').write_bytes(b'hello, this is text')
  with pytest.raises(InputError, match='train.tfrecord: no TFRecord file'):
    reader('urmp').songs(tmp_path)


def test_bad_values_are_one_songs_fault(tmp_path):
  example = {'id': '0', 'sample_rate': 44100.0, 'audio': records.floats(0), 'sequence': records.sequence(layouts.melody())}
  bad = [
    ({'audio': np.array([0.1, np.nan], np.float32)}, 'non-finite audio'),
    ({'audio': np.zeros(9999, np.float32)}, 'silent audio'),
    ({'sequence': b'\xff\xff'}, 'damaged record'),
    ({'sample_rate': []}, 'damaged record'),
  ]
  records.write_tfrecord(tmp_path / 'train.tfrecord', [{**example, 'id': str(i), **change} for i, (change, _) in enumerate(bad)])
  for song, (_, reason) in zip(listed('musicnet', tmp_path), bad, strict=True):
    with pytest.raises(SongError) as error:
      song.read()
    assert error.value.reason == reason


@every_corpus
def test_only_wanted_features_are_read_from_disk(corpus, tmp_path, monkeypatch):
  """A listing reads no audio: it would take hours for a whole corpus."""
  from data_prep import tfrecords

  sizes = []
  decode = tfrecords.decode_example
  monkeypatch.setattr(tfrecords, 'decode_example', lambda data, source: sizes.append(len(data)) or decode(data, source))
  listed(corpus, write(corpus, tmp_path))
  assert sizes
  assert max(sizes) < 200
