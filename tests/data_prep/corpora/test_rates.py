"""A wrong rate in a header is told by the length, a resampled copy is not."""

import pytest
import soundfile

from data_prep.corpus import SongError
from data_prep.guitarset.reader import CORPUS as GUITARSET
from data_prep.maestro.reader import CORPUS as MAESTRO
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


def test_a_duration_of_another_length_is_no_fault(tmp_path):
  """The table's duration and the recording need not agree."""
  folder = layouts.write_maestro(tmp_path / 'corpus')
  table = folder / 'maestro-v3.0.0.csv'
  table.write_text(table.read_text().replace(f',{layouts.SECONDS}', ',698.66'))
  with pytest.warns(InputWarning, match='1 of 4 notes start after'):
    assert len(first(MAESTRO.songs(folder)).read().notes) == 3
