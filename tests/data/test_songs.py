import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.data.songs import read_corpus
from mt3_synth.errors import InputError
from tests.data.tiny import melody, sound, write_corpus


@pytest.fixture
def corpus(tmp_path):
  return write_corpus(tmp_path / 'corpus')


def test_splits_are_read_in_order(corpus):
  train = read_corpus(corpus, 'train')
  assert [song.name for song in train] == ['Track00001', 'Track00002']
  assert [song.name for song in read_corpus(str(corpus), 'validation')] == ['Track00003']
  assert_array_equal(train[1].audio, sound(1.0, 1))
  with pytest.raises(InputError, match='no tracks under test/'):
    read_corpus(corpus, 'test')
  with pytest.raises(InputError, match='nowhere: no tracks under train/'):
    read_corpus(corpus / 'nowhere', 'train')


def test_programs_and_drums_are_those_of_the_description(corpus):
  notes = read_corpus(corpus, 'train')[0].notes
  assert notes.is_drum.sum() == 4
  assert set(notes.program[notes.is_drum]) == {0}
  assert set(notes.program[~notes.is_drum]) == {24}
  assert (np.diff(notes.onset) >= 0).all()
  played = notes.select(~notes.is_drum)
  assert_array_equal(played.pitch, melody(2.0).pitch)
  assert_allclose(played.onset, melody(2.0).onset, atol=1e-4)


def test_a_name_in_the_description_is_the_songs(corpus):
  file = corpus / 'train' / 'Track00002' / 'metadata.yaml'
  file.write_text(file.read_text() + 'source: a/b.mid\n')
  assert read_corpus(corpus, 'train')[1].name == 'a/b.mid'


def test_a_mix_may_be_wav(corpus):
  track = corpus / 'train' / 'Track00002'
  import soundfile

  soundfile.write(track / 'mix.wav', sound(1.0, 1), 16000)
  (track / 'mix.flac').unlink()
  assert_array_equal(read_corpus(corpus, 'train')[1].audio, sound(1.0, 1))


def break_mix(track):
  (track / 'mix.flac').unlink()


def break_midi(track):
  (track / 'MIDI' / 'S00.mid').unlink()


def describe(text):
  return lambda track: (track / 'metadata.yaml').write_text(text)


@pytest.mark.parametrize(
  ('damage', 'says'),
  [
    (break_mix, 'Track00002: neither mix.flac nor mix.wav'),
    (break_midi, 'S00.mid: no such file'),
    (describe(''), 'metadata.yaml: no description with `stems`'),
    (describe('tempo: 3'), "metadata.yaml: no description with `stems` .KeyError: 'stems'"),
    (describe('stems: [a'), 'metadata.yaml: no description with `stems` .ParserError'),
    (describe('stems: {S00: piano}'), 'metadata.yaml: no description'),
    (describe('stems: {S00: {program_num: piano}}'), 'metadata.yaml: no description'),
    (describe('stems: {S00: {program_num: 128}}'), 'program_num is 128, expected 0-127'),
  ],
)
def test_a_damaged_track_is_named(corpus, damage, says):
  damage(corpus / 'train' / 'Track00002')
  with pytest.raises(InputError, match=says) as error:
    read_corpus(corpus, 'train')
  assert '\n' not in str(error.value)


def test_a_folder_without_a_description_is_no_track(corpus):
  shutil.copytree(corpus / 'train' / 'Track00001', corpus / 'train' / 'Track00009')
  (corpus / 'train' / 'Track00009' / 'metadata.yaml').unlink()
  assert len(read_corpus(corpus, 'train')) == 2


def test_a_stem_sounds_if_its_audio_is_there_whatever_the_description_says(corpus):
  from mt3_synth.audio.files import write_audio

  track = corpus / 'train' / 'Track00001'
  (track / 'stems').mkdir()
  write_audio(track / 'stems' / 'S00.wav', sound(2.0))  # the drums' audio is not
  describe('stems: {S00: {program_num: 24, audio_rendered: false}, S01: {program_num: 128, is_drum: true, audio_rendered: true}}')(track)
  assert not read_corpus(corpus, 'train')[0].notes.is_drum.any()


@pytest.mark.parametrize(('said', 'sounds'), [('false', False), ('false, integrated_loudness: -20.0', True), ('true', True)])
def test_where_no_stems_audio_was_kept_the_description_decides(corpus, said, sounds):
  track = corpus / 'train' / 'Track00001'
  describe(f'stems: {{S00: {{program_num: 24}}, S01: {{program_num: 128, is_drum: true, audio_rendered: {said}}}}}')(track)
  assert read_corpus(corpus, 'train')[0].notes.is_drum.any() == sounds
