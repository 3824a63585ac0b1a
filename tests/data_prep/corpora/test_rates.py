"""A wrong rate in a header is told by the length, a resampled copy is not."""

from typing import Any

import pytest
import soundfile

from data_prep.corpus import SongError
from data_prep.guitarset.reader import CORPUS as GUITARSET
from data_prep.maestro.reader import CORPUS as MAESTRO
from data_prep.slakh2100.reader import CORPUS as SLAKH
from data_prep.urmp.reader import CORPUS as URMP
from mt3_synth.errors import InputWarning
from tests.data_prep.corpora import layouts


def first(listing):
  return next(iter(listing))


@pytest.mark.parametrize('stated', [16000, 22050, 96000])
@pytest.mark.filterwarnings('ignore::mt3_synth.errors.InputWarning')
def test_a_wrong_header_is_a_fault(tmp_path, stated):
  folder = layouts.write_guitarset(tmp_path / 'corpus')
  path = folder / 'audio_mono-mic' / '00_BN1-129-Eb_comp_mic.wav'
  audio, _ = soundfile.read(path)
  soundfile.write(path, audio, stated)
  with pytest.raises(SongError, match=f'its header says {stated} Hz.*expected 44100 Hz and 1.2 s .the duration in 00_BN1') as error:
    first(GUITARSET.songs(folder)).read()
  assert error.value.reason == 'wrong sample rate'


def test_a_resampled_copy_is_read(tmp_path, recwarn):
  folder = layouts.write_guitarset(tmp_path / 'corpus')
  path = folder / 'audio_mono-mic' / '00_BN1-129-Eb_comp_mic.wav'
  layouts.write_sound(path, layouts.sound(rate=16000), 16000)
  assert len(first(GUITARSET.songs(folder)).read().audio) == 19200
  assert not recwarn.list
  layouts.write_sound(path, layouts.sound(rate=32000), 32000)
  with pytest.warns(InputWarning, match='32000 Hz, where the corpus has 44100; taken for a resampled copy'):
    assert len(first(GUITARSET.songs(folder)).read().audio) == 19200


def test_a_recording_that_goes_on_after_its_last_note_is_no_fault(tmp_path):
  """At 44.1 kHz, where URMP has 48: at 48 it would end just with its notes."""
  folder = layouts.write_urmp(tmp_path, ['01_Jupiter_vn_vc'])
  layouts.write_sound(folder / '01_Jupiter_vn_vc' / 'AuMix_01_Jupiter_vn_vc.wav', layouts.sound(0.65 * 48000 / 44100, 44100), 44100)
  with pytest.warns(InputWarning, match='44100 Hz, where the corpus has 48000; taken for a resampled copy'):
    assert len(first(URMP.songs(folder)).read().audio) == round(0.65 * 48000 / 44100 * 16000)


@pytest.mark.filterwarnings('ignore::mt3_synth.errors.InputWarning')
def test_a_stem_with_a_wrong_header_is_a_fault(tmp_path):
  folder = layouts.write_babyslakh(tmp_path, ['Track00001'])
  path = folder / 'Track00001' / 'stems' / 'S03.wav'
  audio, _ = soundfile.read(path)
  soundfile.write(path, audio[: round(1.05 * 16000)], 48000)
  songs: Any = SLAKH.songs(folder, subsets=10)
  for song in songs:
    if 'S03' in song.id:
      with pytest.raises(SongError, match='S03.wav: its header says 48000 Hz.*expected 16000 Hz'):
        song.read()


def test_a_duration_of_another_length_is_no_fault(tmp_path):
  """The table's duration and the recording need not agree."""
  folder = layouts.write_maestro(tmp_path / 'corpus')
  table = folder / 'maestro-v3.0.0.csv'
  table.write_text(table.read_text().replace(f',{layouts.SECONDS}', ',698.66'))
  with pytest.warns(InputWarning, match='1 of 4 notes start after'):
    assert len(first(MAESTRO.songs(folder)).read().notes) == 3
