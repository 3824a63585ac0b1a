from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from data_prep.cerberus4.reader import CORPUS
from mt3_synth.errors import InputError
from tests.data_prep.corpora import layouts
from tests.data_prep.corpora.layouts import StemSpec

# Two guitars, two pianos; 8 is no piano, 23 and 40 are neighbours of guitar and bass, and one bass has no sound.
QUARTETS = {
  'S00': StemSpec(24),
  'S02': StemSpec(31),
  'S03': StemSpec(0),
  'S04': StemSpec(7),
  'S05': StemSpec(8),
  'S06': StemSpec(128),
  'S07': StemSpec(38),
  'S08': StemSpec(33, audio=False),
  'S09': StemSpec(23),
  'S10': StemSpec(40),
}


def listed(folder) -> list[Any]:
  return list(CORPUS.songs(folder))


def test_every_combination_of_one_stem_of_each_class(tmp_path):
  songs = listed(layouts.write_babyslakh(tmp_path, ['Track00001'], QUARTETS))
  assert sorted(song.id for song in songs) == [
    'Track00001/S07+S06+S00+S03',
    'Track00001/S07+S06+S00+S04',
    'Track00001/S07+S06+S02+S03',
    'Track00001/S07+S06+S02+S04',
  ]
  for song in songs:
    stems = song.id.split('/')[1].split('+')
    read = song.read()
    assert_array_equal(read.audio, np.sum([layouts.stem_samples(stem, 16000) for stem in stems], axis=0))
    for stem, program, drums in zip(stems, (32, 0, 24, 0), (False, True, False, False), strict=True):
      own = read.notes.select((read.notes.program == program) & (read.notes.is_drum == drums))
      assert_array_equal(own.pitch, layouts.stem_notes(stem, QUARTETS[stem]).pitch)


def test_a_track_that_lacks_a_class_has_none(tmp_path):
  without = {name: spec for name, spec in QUARTETS.items() if name != 'S06'}
  assert listed(layouts.write_babyslakh(tmp_path, ['Track00001'], without)) == []


@pytest.mark.parametrize(('track', 'trimmed'), [('Track00001', True), ('Track01501', False)])
def test_overlaps_are_trimmed_in_training_only(tmp_path, track, trimmed):
  notes = listed(layouts.write_babyslakh(tmp_path, [track], QUARTETS))[0].read().notes
  bass = notes.select(notes.program == 32)
  assert bass.pitch[0] == bass.pitch[1]
  assert (bass.offset[0] <= bass.onset[1]) == trimmed


def test_splits_and_folders_are_slakhs(tmp_path):
  folder = layouts.write_slakh(tmp_path / 'slakh')
  assert {song.split for song in listed(folder)} == {'train', 'validation', 'test'}
  with pytest.raises(InputError, match=f'one level too high for Slakh.*give {folder}'):
    listed(tmp_path)


def test_the_real_excerpt(shared):
  songs = listed(shared / 'fixtures' / 'slakh' / 'slakh2100_flac_redux')
  assert [song.id for song in songs] == [f'Track00001/S03+S01+{guitar}+S02' for guitar in ('S00', 'S07', 'S08')]
