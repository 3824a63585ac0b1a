import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_prep.corpus import SongError
from data_prep.musicnet.reader import CORPUS, split_of
from mt3_synth.errors import InputError, InputWarning
from tests.data_prep.corpora import layouts


def listed(folder, **options) -> list[Any]:
  return list(CORPUS.songs(folder, **options))


def test_the_splits_as_published():
  lists = {
    'validation': '1733 1765 1790 1818 2160 2198 2289 2300 2308 2315 2336 2466 2477 2504 2611',
    'test': '1729 1776 1813 1893 2118 2186 2296 2431 2432 2487 2497 2501 2507 2537 2621',
  }
  found = {split: ' '.join(str(n) for n in range(1727, 2679) if split_of(str(n)) == split) for split in lists}
  assert found == lists
  assert split_of('1727') == 'train'


def test_validation_is_within_the_published_training_folder(tmp_path):
  songs = listed(layouts.write_musicnet(tmp_path))
  assert {song.id: song.split for song in songs} == {'1727': 'train', '1733': 'validation', '1729': 'test'}


def test_times_are_samples_and_instruments_count_from_one(tmp_path):
  notes = listed(layouts.write_musicnet(tmp_path))[0].read().notes
  assert_allclose(notes.onset, [0.0, 0.1, 0.8])
  assert_allclose(notes.offset, [0.1, 0.2, 1.0])
  assert notes.pitch.tolist() == [48, 60, 67]
  assert notes.program.tolist() == [70, 0, 40]  # bassoon, piano, violin, counted from 0


@pytest.mark.parametrize(
  ('text', 'says'),
  [
    ('start_time,end_time,note\n1,2,60\n', 'no column instrument, expected start_time'),
    ('start_time,end_time,instrument,note\n1,2,x,60\n', "invalid literal for int.*'x'"),
    ('start_time,end_time,instrument,note\n1,2\n', 'int'),
    ('start_time,end_time,instrument,note\n9,2,1,60\n', 'end before its start'),
    ('start_time,end_time,instrument,note\n1,2,0,60\n', 'program outside 0-127'),
  ],
)
def test_bad_labels_are_one_recordings_fault(tmp_path, text, says):
  layouts.write_musicnet(tmp_path)
  (tmp_path / 'train_labels' / '1727.csv').write_text(text)
  first, second, _ = listed(tmp_path)
  with pytest.raises(SongError, match=f'1727.csv: .*{says}') as error:
    first.read()
  assert error.value.reason == 'unreadable notes'
  second.read()


def test_no_labels_are_no_notes(tmp_path):
  layouts.write_musicnet(tmp_path)
  (tmp_path / 'train_labels' / '1727.csv').write_text('start_time,end_time,instrument,note\n')
  with pytest.raises(SongError, match='1727: no notes in 1.2 s') as error:
    listed(tmp_path)[0].read()
  assert error.value.reason == 'no notes'


def test_pickles_are_refused_unless_asked_for(tmp_path):
  layouts.write_musicnet_npz(tmp_path)
  with pytest.raises(InputError, match='musicnet.npz: holds pickles, which are not read unless you say so'):
    CORPUS.songs(tmp_path)


def test_pickles_that_were_asked_for_are_read(tmp_path):
  layouts.write_musicnet(tmp_path / 'wav')
  layouts.write_musicnet_npz(tmp_path / 'npz')
  with pytest.warns(InputWarning, match='musicnet.npz: pickles are read, as you asked'):
    songs = listed(tmp_path / 'npz', npz=True)
  assert [(song.id, song.split) for song in songs] == [('1727', 'train'), ('1733', 'validation')]
  wavs = {song.id: song.read() for song in listed(tmp_path / 'wav', npz=True)}
  for song in pickle.loads(pickle.dumps(songs)):
    read = song.read()
    assert read.notes == wavs[song.id].notes
    assert np.abs(read.audio.astype(int) - wavs[song.id].audio).max() <= 2  # the WAV files are rounded before they are resampled


class Touch:
  """A pickle of it makes a file when it is loaded."""

  def __init__(self, path: Path):
    self.path = path

  def __reduce__(self):
    return Path.touch, (self.path,)


@pytest.mark.filterwarnings('ignore:.*pickles are read')
@pytest.mark.parametrize('entry', [Touch, lambda path: [np.zeros(9, np.float32), Touch(path)]])
def test_a_pickle_that_would_run_something_is_refused(tmp_path, entry):
  path = tmp_path / 'made'
  array = np.empty((), object)
  array[()] = entry(path)
  np.savez(tmp_path / 'musicnet.npz', allow_pickle=True, **{'1727': array})
  with pytest.raises(SongError, match='which MusicNet does not') as error:
    listed(tmp_path, npz=True)[0].read()
  assert error.value.reason == 'damaged record'
  assert not path.exists()


@pytest.mark.filterwarnings('ignore:.*pickles are read')
def test_damaged_pickles_are_told(tmp_path):
  layouts.write_musicnet_npz(tmp_path)
  with zipfile.ZipFile(tmp_path / 'musicnet.npz', 'a') as archive:
    archive.writestr('1800.npy', b'\x93NUMPY\x01\x00nonsense')
  with pytest.raises(SongError, match='1800: no recording with its labels'):
    listed(tmp_path, npz=True)[-1].read()
  (tmp_path / 'musicnet.npz').write_bytes(b'PK')
  with pytest.raises(InputError, match='musicnet.npz: no npz file'):
    CORPUS.songs(tmp_path, npz=True)


@pytest.mark.filterwarnings('ignore:.*pickles are read')
def test_the_real_excerpt(shared):
  (song,) = listed(shared / 'fixtures' / 'musicnet', npz=True)
  notes = song.read().notes
  assert notes.pitch.tolist() == [72, 76, 79]
  assert set(notes.program) == {41}
  assert_allclose(notes.offset, 0.5)
