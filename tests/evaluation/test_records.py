"""The folder of an evaluation: what is written is read again, whole or not at all."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mt3_synth.errors import InputError
from mt3_synth.evaluation import records
from mt3_synth.evaluation.records import SongResult


def evaluation(songs=('a', 'b')):
  return records.Evaluation(
    name='tiny',
    checkpoint='runs/tiny',
    corpus='embedded',
    split='test',
    context='predicted',
    sampler={'name': 'ddim', 'steps': 2},
    inverter='griffin_lim',
    seed=0,
    config={},
    embedders={'logmel_stats': 'abc'},
    transcribers={},
    songs=songs,
    metric_version=records.METRIC_VERSION,
    code_version='0',
    device='cpu',
    created='2026-01-01T00:00:00+00:00',
    settings={'per_minute': True},
  )


def result(song='a', **given):
  systems = {'prediction': {'metrics': {'mel_l1': 0.5, 'chroma_cosine_distance': None}, 'per_minute': []}}
  return SongResult(song, 'ok', seconds=2.5, notes=3, systems=systems, **given)


def test_what_is_written_is_read(tmp_path):
  records.write_evaluation(tmp_path, evaluation())
  assert records.read_evaluation(tmp_path) == evaluation()
  records.write_song(tmp_path, result(warnings=('quiet',)))
  assert records.read_song(tmp_path, 'a') == result(warnings=('quiet',))
  assert records.read_song(tmp_path, 'b') is None
  assert records.read_songs(tmp_path) == [result(warnings=('quiet',))]
  x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
  records.write_embeddings(tmp_path, 'a', {'prediction/logmel_stats': x})
  assert_array_equal(records.read_embeddings(tmp_path, 'a')['prediction/logmel_stats'], x)
  records.write_mels(tmp_path, 'a', {'target': x})
  assert_array_equal(records.read_mels(tmp_path, 'a')['target'], x.astype(np.float16))
  records.write_pooled(tmp_path, {'windows': np.int64(3)})
  assert records.read_pooled(tmp_path) == {'windows': 3}


def test_a_value_that_is_no_number_is_null_and_comes_back_as_nan(tmp_path):
  records.write_evaluation(tmp_path, evaluation())
  systems = {'prediction': {'metrics': {'mel_l1': np.float32('nan'), 'mr_stft': np.float64(1.5)}}}
  records.write_song(tmp_path, SongResult('a', 'ok', systems=systems))
  assert 'NaN' not in (tmp_path / 'songs' / 'a.json').read_text()
  found = records.read_songs(tmp_path)[0]
  assert found.systems['prediction']['metrics'] == {'mel_l1': None, 'mr_stft': 1.5}
  assert np.isnan(found.metrics('prediction')['mel_l1'])
  assert found.metrics('ceiling') == {}


def test_any_id_has_a_file_of_its_own():
  ids = ['a/b', 'a%2Fb', 'a:b', '..', '.', 'x' * 300, 'x' * 299 + 'y', 'ä' * 200, 'con?*', 'a b']
  names = [records.file_name(song) for song in ids]
  assert len(set(names)) == len(ids)
  assert all('/' not in name and not name.startswith('.') and len(name.encode()) < 200 for name in names)
  assert records.file_name('20_solo_piano.mid') == '20_solo_piano.mid'


def test_a_file_that_could_not_be_written_leaves_what_was_there(tmp_path):
  file = tmp_path / 'a'
  file.write_bytes(b'before')

  def fails(stream):
    stream.write(b'half')
    raise OSError(28, 'No space left on device')

  with pytest.raises(InputError, match='a: cannot be written .No space left'):
    records.write_whole(file, fails)
  assert file.read_bytes() == b'before'
  assert [each.name for each in tmp_path.iterdir()] == ['a']


def test_what_is_missing_or_damaged_is_named(tmp_path):
  with pytest.raises(InputError, match='has no evaluation.json'):
    records.read_evaluation(tmp_path)
  with pytest.raises(InputError, match='has no pooled.json'):
    records.read_pooled(tmp_path)
  records.write_evaluation(tmp_path, evaluation())
  with pytest.raises(InputError, match='a.npz: no such file; remove songs/a.json in that evaluation'):
    records.read_embeddings(tmp_path, 'a')
  (tmp_path / 'songs' / 'a.npz').write_bytes(b'PK\x03\x04half')
  with pytest.raises(InputError, match='a.npz: damaged'):
    records.read_embeddings(tmp_path, 'a')
  (tmp_path / 'songs' / 'a.json').write_text('{"song": "a"')
  with pytest.raises(InputError, match='a.json: not JSON'):
    records.read_songs(tmp_path)
  (tmp_path / 'songs' / 'a.json').write_text('{"song": "a"}')
  with pytest.raises(InputError, match='a.json: field status is missing'):
    records.read_songs(tmp_path)
