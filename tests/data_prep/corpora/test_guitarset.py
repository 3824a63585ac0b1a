import json
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_prep.corpus import SongError
from data_prep.guitarset.reader import CORPUS, read_jams, split_of
from mt3_synth.errors import InputError
from tests.data_prep.corpora import layouts


def listed(folder, **options) -> list[Any]:
  return list(CORPUS.songs(folder, **options))


def test_the_split_is_the_progression():
  """The 360 names: six players, five styles, three progressions in two tempi each, comping and solo."""
  tempi = ('129-Eb', '166-Ab')
  styles = ('BN', 'Funk', 'Jazz', 'Rock', 'SS')
  names = [
    f'{player:02d}_{style}{progression}-{tempo}_{part}'
    for player in range(6)
    for style in styles
    for progression in (1, 2, 3)
    for tempo in tempi
    for part in ('comp', 'solo')
  ]
  assert len(names) == 360
  validation = [name for name in names if split_of(name) == 'validation']
  assert len(validation) == 120
  assert all('3-' in name for name in validation)
  assert split_of('05_Jazz2-187-F#_solo') == 'train'
  for name in ('BN1-129-Eb_comp', '00_BN4-129-Eb_comp', '00_BN1-129-Eb'):
    with pytest.raises(SongError, match='expected PP_StyleN'):
      split_of(name)


def test_which_recording_is_the_users_choice(tmp_path):
  folder = layouts.write_guitarset(tmp_path)
  mic, mix, both = (listed(folder, audio=audio) for audio in ('mono-mic', 'pickup_mix', 'both'))
  assert [song.id for song in mic] == [f'{name}_mic' for name in layouts.GUITARSET_EXCERPTS]
  assert [song.id for song in mix] == [f'{name}_mix' for name in layouts.GUITARSET_EXCERPTS]
  assert sorted(song.id for song in both) == sorted(song.id for song in mic + mix)
  for songs, seed in ((mic, 1), (mix, 101)):
    expected = layouts.sound(rate=16000, seed=seed) * 32768
    assert_allclose(songs[1].read().audio[200:-200], expected[200:-200], atol=20)
  with pytest.raises(InputError, match="audio is 'hex', expected one of mono-mic, pickup_mix, both"):
    CORPUS.songs(folder, audio='hex')


def test_notes_are_those_of_six_strings_from_the_excerpts_start(tmp_path):
  """The annotation as a whole says that it begins at 30 s, which counts for nothing."""
  notes = listed(layouts.write_guitarset(tmp_path))[0].read().notes
  assert notes.pitch.tolist() == [40, 45, 50, 55, 59, 64]
  assert_allclose(notes.onset, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
  assert_allclose(notes.offset - notes.onset, 0.2)
  assert set(notes.program) == {24}


def test_pitches_are_rounded_and_notes_may_be_columns(tmp_path):
  layouts.write_guitarset(tmp_path)
  file = tmp_path / 'annotation' / '00_BN1-129-Eb_comp.jams'
  jams = json.loads(file.read_text())
  jams['annotations'][1]['data'] = {'time': [0.1, 0.5], 'duration': [0.2, 0.1], 'value': [44.6, 44.4], 'confidence': [None, None]}
  file.write_text(json.dumps(jams))
  notes, duration = read_jams(file)
  assert sorted(notes.pitch.tolist()) == [44, 45, 45, 50, 55, 59, 64]
  assert duration == layouts.SECONDS


def without(key):
  return lambda jams: jams.pop(key)


def five_strings(jams):
  jams['annotations'] = [each for each in jams['annotations'] if each['annotation_metadata']['data_source'] != '4']


def nowhere(jams):
  jams['annotations'][1]['data'][0]['value'] = float('nan')


@pytest.mark.parametrize(
  ('damage', 'says'),
  [
    (without('file_metadata'), "no 'file_metadata' in it"),
    (without('annotations'), "no 'annotations' in it"),
    (five_strings, '5 note_midi annotations, expected one for each of 6 strings'),
    (nowhere, 'NaN'),
  ],
)
def test_a_damaged_annotation_is_one_songs_fault(tmp_path, damage, says):
  layouts.write_guitarset(tmp_path)
  file = tmp_path / 'annotation' / '00_BN1-129-Eb_comp.jams'
  jams = json.loads(file.read_text())
  damage(jams)
  file.write_text(json.dumps(jams))
  first, second, _ = listed(tmp_path)
  with pytest.raises(SongError, match=f'00_BN1-129-Eb_comp.jams: .*{says}') as error:
    first.read()
  assert error.value.reason == 'unreadable notes'
  second.read()


def test_a_recording_without_annotation_is_told(tmp_path):
  layouts.write_guitarset(tmp_path)
  (tmp_path / 'annotation' / '00_BN1-129-Eb_comp.jams').unlink()
  (tmp_path / 'annotation' / '._02_Jazz2-130-D#_solo.jams').touch()
  first, second, third = listed(tmp_path)
  assert (first.id, first.reason) == ('00_BN1-129-Eb_comp_mic', 'missing notes')
  assert [second.split, third.split] == ['train', 'validation']


def test_the_real_excerpts(shared):
  stub, song = listed(shared / 'fixtures' / 'guitarset')
  assert stub.reason == 'unreadable notes'
  assert "00_BN1-129-Eb_comp.jams: no 'file_metadata' in it" in stub.message
  assert (song.id, song.split, song.seconds) == ('03_BN3-119-G_solo_mic', 'validation', 2.0)
  read = song.read()
  assert np.unique(read.notes.onset.round(3)).tolist() == [0.761, 1.507, 1.781]
  assert len(listed(shared / 'fixtures' / 'guitarset', audio='both')) == 4
