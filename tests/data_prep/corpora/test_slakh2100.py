import shutil
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal

from data_prep.corpus import Skipped, SongError, SongSource
from data_prep.slakh2100.reader import CORPUS, subsets
from data_prep.slakh2100.tracks import original_split
from mt3_synth.errors import InputWarning
from tests.data_prep.corpora import layouts
from tests.data_prep.corpora.layouts import BAND, BAND_SOUNDING, StemSpec

SUBSETS = CORPUS.configs['subsets_10']


def listed(folder, **options) -> list[Any]:
  return list(CORPUS.songs(folder, **options))


def summed(names) -> np.ndarray:
  """What stems sound like together, as a file at 16 kHz holds it."""
  return np.sum([layouts.stem_samples(name, 16000) for name in names], axis=0)


def pitches(names) -> Counter:
  return Counter(int(pitch) for name in names for pitch in layouts.stem_notes(name, BAND[name]).pitch)


# ---- which stems sound


def test_a_full_mix_has_the_notes_of_what_sounds(tmp_path):
  """BAND has gaps, a stem with no file, one with notes and no sound, one that is wrongly said to be absent."""
  song, _ = listed(layouts.write_babyslakh(tmp_path))
  read = song.read()
  assert_array_equal(read.audio, summed(BAND_SOUNDING))
  assert set(read.notes.program[~read.notes.is_drum]) == {27, 33, 1, 48, 30}
  assert Counter(read.notes.pitch.tolist()) == pitches(BAND_SOUNDING)


def test_drums_are_drums_and_have_no_program(tmp_path):
  notes = listed(layouts.write_babyslakh(tmp_path))[0].read().notes
  assert Counter(notes.pitch[notes.is_drum].tolist()) == pitches(['S01'])
  assert set(notes.program[notes.is_drum]) == {0}


def test_a_stem_that_sounds_without_notes_is_the_tracks_fault_in_the_full_mix_only(tmp_path):
  layouts.write_babyslakh(tmp_path, stems={**BAND, 'S03': StemSpec(33, midi=False)})
  for song in listed(tmp_path):
    assert isinstance(song, Skipped)
    assert song.reason == 'missing notes'
    assert 'S03.mid' in song.message
  drawn = {stem for song in listed(tmp_path, **SUBSETS) for stem in song.id.split('/')[2].split('+')}
  assert drawn == set(BAND_SOUNDING) - {'S03'}


def test_where_no_stems_were_kept_the_loudness_says_what_sounds(tmp_path):
  layouts.write_babyslakh(tmp_path, ['Track00001'])
  shutil.rmtree(tmp_path / 'Track00001' / 'stems')
  assert Counter(listed(tmp_path)[0].read().notes.pitch.tolist()) == pitches(BAND_SOUNDING)


# ---- subsets


def test_subsets_are_the_same_for_ever():
  """A change would make other corpora of the same name and version."""
  assert subsets('Track00001', BAND_SOUNDING, 3) == [
    ('S01', 'S03', 'S04', 'S07', 'S08'),
    ('S00', 'S01', 'S03', 'S04', 'S07', 'S08'),
    ('S00', 'S03', 'S04', 'S08'),
  ]
  assert subsets('Track00001', BAND_SOUNDING[::-1]) == subsets('Track00001', BAND_SOUNDING)
  assert subsets('Track00002', BAND_SOUNDING) != subsets('Track00001', BAND_SOUNDING)


@pytest.mark.parametrize('count', [4, 5, 6, 14])
def test_subsets_are_ten_sets_of_at_least_four(count):
  stems = [f'S{number:02d}' for number in range(count)]
  drawn = subsets('Track00123', stems)
  assert len(drawn) == 10
  assert all(4 <= len(set(each)) == len(each) and set(each) <= set(stems) for each in drawn)
  assert len(set(drawn)) == {4: 1, 5: 6}.get(count, 10)


def test_subsets_have_every_size_and_stem_alike():
  stems = [f'S{number:02d}' for number in range(8)]
  drawn = [each for track in range(400) for each in subsets(f'Track{track:05d}', stems, 1)]
  sizes = Counter(map(len, drawn))
  assert set(sizes) == {4, 5, 6, 7, 8}
  assert min(sizes.values()) > 50
  uses = Counter(stem for each in drawn for stem in each)
  assert max(uses.values()) < 1.15 * min(uses.values())


def test_a_training_example_is_the_sum_of_its_stems_with_their_notes(tmp_path):
  layouts.write_babyslakh(tmp_path, ['Track00007'])
  songs = listed(tmp_path, **SUBSETS)
  assert len(songs) == 10
  for number, (song, stems) in enumerate(zip(songs, subsets('Track00007', BAND_SOUNDING), strict=True), 1):
    assert song.id == f'Track00007/subset{number}/{"+".join(stems)}'
    assert (song.split, song.group) == ('train', 'Track00007')
    read = song.read()
    assert_array_equal(read.audio, summed(stems))
    assert Counter(read.notes.pitch.tolist()) == pitches(stems)


def test_validation_and_test_are_full_mixes(tmp_path):
  layouts.write_slakh(tmp_path)
  assert [song.id for song in listed(tmp_path, **SUBSETS) if song.split != 'train'] == ['Track01501', 'Track01876']


def test_stems_are_decoded_once_for_all_subsets_of_a_track(tmp_path, monkeypatch):
  from data_prep.slakh2100 import tracks

  decoded = Counter()
  monkeypatch.setattr(tracks, 'read_audio', lambda path, read=tracks.read_audio: decoded.update([str(path)]) or read(path))
  for song in listed(layouts.write_babyslakh(tmp_path), **SUBSETS):
    song.read()
  assert len(decoded) == 2 * len(BAND_SOUNDING)
  assert set(decoded.values()) == {1}


def test_too_few_stems_are_the_tracks_fault(tmp_path):
  stems = {name: spec for name, spec in BAND.items() if name in ('S00', 'S01', 'S03', 'S06')}
  (song,) = listed(layouts.write_babyslakh(tmp_path, ['Track00001'], stems), **SUBSETS)
  assert song.reason == 'too few stems'
  assert '3 of its 4 stems have both audio and MIDI, expected at least 4' in song.message


def test_a_damaged_stem_spoils_the_subsets_it_is_in(tmp_path):
  layouts.write_babyslakh(tmp_path, ['Track00001'])
  path = tmp_path / 'Track00001' / 'stems' / 'S07.wav'
  path.write_bytes(path.read_bytes()[:9999])
  for song in listed(tmp_path, **SUBSETS):
    if 'S07' in song.id.split('/')[2]:
      with pytest.raises(SongError, match='S07.wav: truncated'):
        song.read()
    else:
      song.read()


def test_a_sum_over_full_scale_is_clipped_and_said(tmp_path):
  layouts.write_babyslakh(tmp_path, ['Track00001'])
  for path in (tmp_path / 'Track00001' / 'stems').iterdir():
    soundfile.write(path, 9 * soundfile.read(path)[0], 16000)
  with pytest.warns(InputWarning, match='samples of S01.* exceed full scale and are clipped'):
    assert listed(tmp_path, **SUBSETS)[0].read().audio.max() == 32767


# ---- splits


def test_the_original_splits_by_number():
  assert [original_split(f'Track{n:05d}') for n in (1, 1500, 1501, 1875, 1876, 2100)] == [
    *('train', 'train', 'validation', 'validation', 'test', 'test'),
  ]
  assert Counter(original_split(f'Track{n:05d}') for n in range(1, 2101)) == {'train': 1500, 'validation': 375, 'test': 225}
  with pytest.raises(ValueError, match="'piece' is no name of a track"):
    original_split('piece')


def test_redux_goes_by_folder_and_leaves_the_omitted_out(tmp_path):
  layouts.write_slakh(tmp_path, ['train/Track01600', 'test/Track00009', 'omitted/Track00003'])
  assert {song.id: song.split for song in listed(tmp_path)} == {'Track01600': 'train', 'Track00009': 'test'}
  assert {song.id: song.split for song in listed(tmp_path, original_splits=True)} == {
    'Track00003': 'train',
    'Track00009': 'train',
    'Track01600': 'validation',
  }


def test_babyslakh_goes_by_number(tmp_path):
  layouts.write_babyslakh(tmp_path, ['Track00001', 'Track01700', 'Track02000'])
  assert [song.split for song in listed(tmp_path)] == ['train', 'validation', 'test']


# ---- what is done to notes


@pytest.mark.parametrize(('track', 'trimmed'), [('Track00001', True), ('Track01501', False), ('Track01876', False)])
@pytest.mark.parametrize('options', [{}, SUBSETS])
def test_overlaps_are_trimmed_in_training_only(tmp_path, track, trimmed, options):
  stems = {name: BAND[name] for name in BAND_SOUNDING[:4]}
  song = listed(layouts.write_babyslakh(tmp_path, [track], stems), **options)[0]
  notes = song.read().notes
  guitar = notes.select(notes.program == 27)
  assert guitar.pitch[0] == guitar.pitch[1]
  assert (guitar.offset[0] <= guitar.onset[1]) == trimmed


def test_bass_is_lowered_only_when_asked(tmp_path):
  stems = {**BAND, 'S09': StemSpec(39), 'S10': StemSpec(40)}
  layouts.write_babyslakh(tmp_path, ['Track00001'], stems)
  for options in ({}, SUBSETS):
    plain = next(song.read().notes for song in listed(tmp_path, **options) if 'subset' not in song.id or 'S03' in song.id)
    lowered = next(
      song.read().notes for song in listed(tmp_path, lower_bass=True, **options) if 'subset' not in song.id or 'S03' in song.id
    )
    bass = (plain.program >= 32) & (plain.program <= 39)
    assert bass.any()
    shift = np.where(bass, 12, 0)
    assert replace(plain, pitch=plain.pitch - shift).sorted() == lowered


# ---- the real excerpts


@pytest.mark.parametrize('folder', ['slakh2100_flac_redux', 'babyslakh_16k'])
def test_the_real_excerpts(shared, folder):
  root = shared / 'fixtures' / 'slakh' / folder
  song = next(song for song in listed(root) if song.id == 'Track00001')
  assert isinstance(song, SongSource)
  with pytest.warns(InputWarning, match='notes start after the end'):
    full = song.read()
  assert len(full.notes) == 5
  with_s00 = [song for song in listed(root, **SUBSETS) if 'S00' in song.id]
  assert len(with_s00) == 6
  with pytest.warns(InputWarning):
    subset = with_s00[0].read()
  assert np.abs(subset.audio.astype(int) - full.audio).max() < 40  # only S00 sounds
  reasons = [song.reason for song in listed(root) if isinstance(song, Skipped)]
  assert reasons == (['unreadable description'] if folder == 'babyslakh_16k' else [])  # a folder of one MIDI file
