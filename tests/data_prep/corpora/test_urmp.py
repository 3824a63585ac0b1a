from typing import Any

import pytest
from numpy.testing import assert_allclose

from data_prep.corpus import SongError
from data_prep.urmp.reader import CORPUS, split_of
from tests.data_prep.corpora import layouts


def listed(folder) -> list[Any]:
  return list(CORPUS.songs(folder))


def test_the_splits_as_published():
  validation = [piece for piece in range(1, 45) if split_of(piece) == 'validation']
  assert validation == [1, 2, 12, 13, 24, 25, 31, 38, 39]
  assert [split_of(piece) for piece in range(1, 45)].count('train') == 35


def test_hidden_and_supplementary_folders_are_no_pieces(tmp_path):
  songs = listed(layouts.write_urmp(tmp_path))
  assert [(song.id, song.split) for song in songs] == [
    ('01_Jupiter_vn_vc', 'validation'),
    ('15_Surprise_tpt_tpt_tbn', 'train'),
    ('38_Jerusalem_fl_ob_cl_sax_bn', 'validation'),
  ]


def test_notes_are_the_annotations_and_not_the_score(tmp_path):
  notes = listed(layouts.write_urmp(tmp_path))[0].read().notes
  violin, cello = (notes.select(notes.program == program) for program in (40, 42))
  assert violin.pitch.tolist() == [60, 62, 65]  # 0.3 semitones sharp, rounded
  assert cello.pitch.tolist() == [60, 62, 66]
  assert_allclose(violin.onset, [0.1, 0.3, 0.5])
  assert_allclose(violin.offset - violin.onset, 0.15)


@pytest.mark.parametrize(
  ('piece', 'programs'),
  [
    ('15_Surprise_tpt_tpt_tbn', [56, 56, 57]),  # the third part's files say tpt
    ('38_Jerusalem_fl_ob_cl_sax_bn', [73, 68, 71, 64, 70]),
    ('44_K515_vn_vn_va_va_vc', [40, 40, 41, 41, 42]),
    ('43_Chorale_tpt_tpt_hn_tbn_tba', [56, 56, 60, 57, 58]),
    ('42_Arioso_db_vn', [43, 40]),
  ],
)
def test_programs_are_those_of_the_folders_name(tmp_path, piece, programs):
  (song,) = listed(layouts.write_urmp(tmp_path, [piece]))
  notes = song.read().notes
  assert sorted(notes.program.tolist()) == sorted(3 * programs)


@pytest.mark.parametrize(
  'line', ['0.1 440', '0.1 440 0.2 3', 'a b c', '0.1 0 0.2', '0.1 -5 0.2', '0.1 440 -0.2', '0.1 1e9 0.2', 'nan 440 1']
)
def test_a_line_that_is_no_note_is_named(tmp_path, line):
  layouts.write_urmp(tmp_path)
  file = tmp_path / '01_Jupiter_vn_vc' / 'Notes_1_vn_01_Jupiter.txt'
  file.write_text(f'0.1 440 0.2\n{line}\n')
  with pytest.raises(SongError) as error:
    listed(tmp_path)[0].read()
  assert error.value.reason == 'unreadable notes'
  assert str(file) in str(error.value)


def test_an_unknown_instrument_is_one_pieces_fault(tmp_path):
  first, _ = listed(layouts.write_urmp(tmp_path, ['02_Sonata_vn_kazoo', '03_Dance_fl_cl']))
  assert first.reason == 'unknown instrument'
  assert "part 2 is 'kazoo', expected one of vn, va" in first.message
