import numpy as np
import pytest

from mt3_synth.errors import InputError
from mt3_synth.notes import Notes, concatenate


def spans(notes):
  return list(zip(notes.onset.tolist(), notes.offset.tolist(), notes.pitch.tolist(), strict=True))


def test_rows_fill_in_what_is_left_out():
  notes = Notes.from_rows([(0, 1, 60), (1, 2, 61, 5, 7, True)])
  assert len(notes) == 2
  assert notes.velocity.tolist() == [100, 5]
  assert notes.program.tolist() == [0, 7]
  assert notes.is_drum.tolist() == [False, True]
  assert notes.onset.dtype == np.float64


def test_no_notes():
  assert len(Notes.empty()) == 0
  assert Notes.empty().duration == 0
  assert len(concatenate([])) == len(Notes.empty().trim_overlaps()) == 0


def test_equal_is_equal_in_every_column():
  assert Notes.from_rows([(0, 1, 60)]) == Notes.from_rows([(0, 1, 60)])
  assert Notes.from_rows([(0, 1, 60)]) != Notes.from_rows([(0, 1, 60, 99)])


def test_crop_cuts_and_counts_from_its_start():
  notes = Notes.from_rows([(0, 1, 60), (0.5, 3, 61), (2, 4, 62), (1, 1, 35, 90, 0, True)])
  assert spans(notes.crop(1, 2)) == [(0, 1, 61), (0, 0, 35)]


def test_shift_and_duration():
  assert Notes.from_rows([(0, 1, 60), (1, 2, 60)]).shift(-0.5).duration == 1.5


def test_an_overlap_ends_where_the_same_key_starts_again():
  notes = Notes.from_rows([(0, 2, 60), (1, 3, 60), (1, 3, 60, 90, 5), (1, 2, 61), (1, 4, 61)])
  assert spans(notes.trim_overlaps()) == [(0, 1, 60), (1, 3, 60), (1, 4, 61), (1, 3, 60)]


def test_sorted_by_onset_then_drums_program_pitch():
  notes = Notes.from_rows([(1, 2, 60), (0, 1, 35, 1, 0, True), (0, 1, 50, 1, 9), (0, 1, 70)])
  assert notes.sorted().pitch.tolist() == [70, 50, 35, 60]


@pytest.mark.parametrize(
  ('row', 'words'),
  [
    ((0, float('nan'), 60), 'not finite'),
    ((1, 0.5, 60), 'end before its start'),
    ((0, 1, 128), 'pitch outside'),
    ((0, 1, 60, 128), 'velocity outside'),
    ((0, 1, 60, 1, -1), 'program outside'),
  ],
)
def test_impossible_notes_are_refused(row, words):
  with pytest.raises(InputError, match=f'note 1 has a.*{words}'):
    Notes.from_rows([(0, 1, 60), row])


def test_columns_must_agree():
  with pytest.raises(InputError, match='differ in length'):
    Notes(*(np.zeros(n) for n in (1, 1, 2, 1, 1, 1)))
