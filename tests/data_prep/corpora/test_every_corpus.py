"""What holds for the reader of every corpus: the contract, the faults of songs, the wrong folder."""

import importlib
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import soundfile

from data_prep.corpus import Corpus, Reason, Skipped, SongError, SongSource
from mt3_synth.errors import InputError, InputWarning
from tests.data_prep.corpora import layouts


@dataclass(frozen=True)
class Case:
  """A corpus, and where in its layout the sound and the notes of one of its songs are."""

  corpus: str
  write: Callable[[Path], Path]
  id: str
  audio: str
  notes: str
  below: str  # a folder within, that someone could take for the corpus

  @property
  def reader(self) -> Corpus:
    return importlib.import_module(f'data_prep.{self.corpus}.reader').CORPUS


def write_every_maestro(folder: Path) -> Path:
  for version in ('1.0.0', '2.0.0', '3.0.0'):
    layouts.write_maestro(folder, version=version)
  return folder


MAESTRO = '2018/MIDI-Unprocessed_00_R1_2018_wav--0'
SLAKH = 'validation/Track01501'
URMP = '01_Jupiter_vn_vc'
GUITARSET = '02_Jazz2-130-D#_solo'
CASES = (
  Case('maestro', write_every_maestro, MAESTRO, f'{MAESTRO}.wav', f'{MAESTRO}.midi', '2018'),
  Case('slakh2100', layouts.write_slakh, 'Track01501', f'{SLAKH}/mix.flac', f'{SLAKH}/MIDI/S03.mid', 'validation'),
  Case('urmp', layouts.write_urmp, URMP, f'{URMP}/AuMix_{URMP}.wav', f'{URMP}/Notes_2_vc_01_Jupiter.txt', URMP),
  Case(
    'guitarset',
    layouts.write_guitarset,
    f'{GUITARSET}_mic',
    f'audio_mono-mic/{GUITARSET}_mic.wav',
    f'annotation/{GUITARSET}.jams',
    'annotation',
  ),
  Case('musicnet', layouts.write_musicnet, '1727', 'train_data/1727.wav', 'train_labels/1727.csv', 'train_data'),
  Case('rendered', layouts.write_rendered, 'album/piece 0.mid', 'train/Track00001/mix.flac', 'train/Track00001/MIDI/S00.mid', 'train'),
)
every_corpus = pytest.mark.parametrize('case', CASES, ids=[case.corpus for case in CASES])


def find(listing, id: str) -> Any:
  (found,) = [song for song in listing if song.id == id]
  return found


def fault(case: Case, folder: Path) -> tuple[str, str]:
  """(reason, message) of what is wrong with the song, whether it shows in the listing or when it is read."""
  listing = list(case.reader.songs(folder))
  song = find(listing, case.id)
  assert any(isinstance(other, SongSource) for other in listing if other is not song), 'the others go on'
  if isinstance(song, Skipped):
    return song.reason, song.message
  with pytest.raises(SongError) as error:
    song.read()
  return error.value.reason, str(error.value)


@every_corpus
@pytest.mark.filterwarnings('ignore::mt3_synth.errors.InputWarning')
def test_songs_are_what_the_contract_says(case, tmp_path):
  folder = case.write(tmp_path / 'corpus')
  for options in case.reader.configs.values():
    songs = list(case.reader.songs(folder, **options))
    assert songs == list(case.reader.songs(str(folder), **options))
    assert {song.id for song in songs if isinstance(song, Skipped)} == set()
    assert len({song.id for song in songs}) == len(songs) >= 2
    for song in pickle.loads(pickle.dumps(songs)):
      assert song.split in ('train', 'validation', 'test')
      assert song.seconds == pytest.approx(layouts.SECONDS)
      read = song.read()
      assert (read.name, read.corpus, read.licence) == (song.id, case.corpus, case.reader.licence)
      assert (read.audio.dtype, read.audio.shape) == (np.int16, (round(layouts.SECONDS * 16000),))
      assert 1000 < np.abs(read.audio.astype(int)).max() < 32767
      assert len(read.notes) >= 3
      assert (np.diff(read.notes.onset) >= 0).all()
      assert read.notes.onset.max() < layouts.SECONDS


@every_corpus
def test_options_have_their_defaults(case, tmp_path):
  defaults = {name: default for name, (default, _) in case.reader.options.items()}
  folder = case.write(tmp_path / 'corpus')
  assert case.reader.songs(folder, **defaults) == case.reader.songs(folder)


def cut(path: Path) -> None:
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replaced_by(audio: np.ndarray):
  return lambda path: soundfile.write(path, audio, 44100, subtype='FLOAT', format='WAV')


@every_corpus
@pytest.mark.parametrize(
  ('damage', 'reason'),
  [
    (Path.unlink, 'missing audio'),
    (lambda path: path.write_text('hello'), 'unreadable audio'),
    (cut, 'truncated audio'),
    (replaced_by(np.zeros(0)), 'empty audio'),
    (replaced_by(np.zeros(44100)), 'silent audio'),
    (replaced_by(np.array([0.1, np.nan] * 22050)), 'non-finite audio'),
  ],
)
@pytest.mark.filterwarnings('ignore:.*taken for a resampled copy')
def test_an_unusable_recording_is_one_songs_fault(case, damage, reason, tmp_path):
  folder = case.write(tmp_path / 'corpus')
  damage(folder / case.audio)
  assert reason in get_args(Reason)
  found, message = fault(case, folder)
  assert found == reason
  assert '\n' not in message


@every_corpus
def test_missing_notes_are_one_songs_fault(case, tmp_path):
  folder = case.write(tmp_path / 'corpus')
  (folder / case.notes).unlink()
  reason, message = fault(case, folder)
  assert reason == 'missing notes'
  assert 'fetch' in message


@every_corpus
def test_damaged_notes_are_one_songs_fault(case, tmp_path):
  folder = case.write(tmp_path / 'corpus')
  (folder / case.notes).write_text('start_time,end_time\n1,2\n')
  reason, message = fault(case, folder)
  assert reason == 'unreadable notes'
  assert Path(case.notes).name in message


@every_corpus
def test_notes_after_the_end_are_left_out_and_counted(case, tmp_path):
  folder = case.write(tmp_path / 'corpus')
  path = folder / case.audio
  audio, rate = soundfile.read(path)
  soundfile.write(path, audio[: round(0.25 * rate)], rate)
  with pytest.warns(InputWarning, match=r'notes start after the end of the audio \(0\.2 s\) and are left out'):
    song = find(case.reader.songs(folder), case.id).read()
  assert song.notes.onset.max() < 0.25


@every_corpus
def test_a_folder_at_the_wrong_level_is_told_the_right_one(case, tmp_path):
  folder = case.write(tmp_path / 'above' / 'corpus')
  with pytest.raises(InputError, match=f'one level too high .* give {folder}$'):
    case.reader.songs(tmp_path / 'above')
  with pytest.raises(InputError, match=f'a part of .* give {folder}$'):
    case.reader.songs(folder / case.below)
  (tmp_path / 'empty').mkdir()
  with pytest.raises(InputError, match='expected a folder with '):
    case.reader.songs(tmp_path / 'empty')
  with pytest.raises(InputError, match='no such folder'):
    case.reader.songs(tmp_path / 'nowhere')


def test_a_recording_listed_twice_is_taken_once(tmp_path):
  folder = layouts.write_slakh(tmp_path / 'corpus')
  shutil.copytree(folder / 'train' / 'Track00001', folder / 'test' / 'Track00001')
  from data_prep.slakh2100.reader import CORPUS

  first, second = (song for song in CORPUS.songs(folder) if song.id == 'Track00001')
  assert isinstance(first, SongSource)
  assert isinstance(second, Skipped)
  assert (first.split, second.reason) == ('train', 'duplicate id')
  assert 'the second time in test' in second.message


def test_readers_need_neither_tensorflow_nor_jax():
  names = ', '.join(f'data_prep.{case.corpus}.reader' for case in CASES)
  code = f'import sys, {names}, data_prep.cerberus4.reader; assert not {{"tensorflow", "jax", "note_seq"}} & set(sys.modules)'
  subprocess.run([sys.executable, '-c', code], check=True)
