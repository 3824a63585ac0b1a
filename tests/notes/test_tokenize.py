import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from mt3_synth.config import NotesConfig
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes import Notes, count_tokens, decode_segments, encode_segments, encode_song, num_frames, read_midi, song_events
from mt3_synth.notes.codec import Codec

TIE, OFF, ON = 1134, 1132, 1133
WORKED = [TIE, 53, 1135, ON, 1064, 78, 1068, 103, OFF, 1064, 153, 1068, 1]


def tokens(rows):
  return [row[row != 0].tolist() for row in rows]


def song(rows, **config):
  return tokens(encode_song(song_events(Notes.from_rows(rows), NotesConfig(**config))))


def window(rows, start, frames=256, **config):
  return tokens(encode_segments(song_events(Notes.from_rows(rows), NotesConfig(**config)), np.array([start]), frames))[0]


def test_the_worked_example():
  assert song([(0.5, 1.0, 60), (0.75, 1.5, 64)]) == [WORKED]


def test_a_song_without_notes_is_one_row():
  assert song([]) == [[TIE, 1]]
  assert song([], ties=False) == [[1]]


def test_rounding_is_half_to_even_and_step_512_opens_segment_1():
  assert song([(0.005, 0.015, 60), (5.1149, 5.115, 60), (5.1151, 6.0, 60)]) == [
    [TIE, 1135, ON, 1064, 5, OFF, 1064, 514, ON, 1064, 1],
    [1135, 1064, TIE, OFF, 1064, ON, 1064, 91, OFF, 1064, 1],
  ]


def test_what_rounds_past_the_end_belongs_to_the_last_segment():
  assert song([(0, 5.1151, 60)]) == [[TIE, 1135, ON, 1064, 515, OFF, 1064, 1]]
  assert window([(0, 5.1151, 60)], 0) == [TIE, 1135, ON, 1064, 1]


def test_an_off_comes_before_an_on_of_the_same_time():
  assert song([(0, 1, 64), (1, 2, 60)])[0][5:10] == [OFF, 1068, ON, 1064, 203]


def test_times_closer_than_any_grid_keep_their_order():
  later = np.nextafter(1.0, 2)
  assert song([(later, 3, 60), (1, 3, 62), (1, 3, 61), (3600, 3601, 40)])[0][4:7] == [1065, 1066, 1064]


def test_events_of_one_time_are_sorted_by_drum_program_pitch():
  rows = [(0, 1, 36, 100, 0, True), (0, 1, 60, 100, 9), (0, 1, 64), (0, 1, 62)]
  assert song(rows)[0][:8] == [TIE, 1135, ON, 1066, 1068, 1144, 1064, 1299]


def test_a_drum_has_no_off_and_no_tie():
  assert song([(0, 6, 36, 100, 0, True)]) == [[TIE, ON, 1299, 1], [TIE, 1]]


def test_the_tie_section_names_what_sounds_before_any_event_of_the_window():
  rows = [(0, 5.12, 70), (1, 9, 60, 100, 2), (1, 9, 50, 100, 2), (0, 9, 65), (5.12, 6, 40)]
  #      program 0: 65 70, program 2: 50 60, tie; 70 ends at the start, 40 starts; program 0 again
  assert song(rows)[1][:12] == [1135, 1069, 1074, 1137, 1054, 1064, TIE, 1135, OFF, 1074, ON, 1044]


def test_a_program_named_by_the_tie_section_is_not_repeated():
  assert window([(0, 9, 60), (6, 7, 36, 100, 0, True), (6, 7, 62)], 256)[:7] == [1135, 1064, TIE, 91, ON, 1066, 1299]
  assert window([(0, 9, 60), (6, 6.5, 36, 100, 0, True), (7, 8, 62)], 256)[:7] == [1135, 1064, TIE, 91, ON, 1299, 191]
  assert window([(0, 9, 60), (6, 6.5, 36, 100, 0, True), (7, 8, 62)], 256)[7] == 1066


def test_a_drum_first_leaves_the_program_to_the_next_note():
  rows = [(0, 1, 60, 100, 3), (6, 7, 36, 100, 0, True), (7, 8, 62, 100, 3)]
  assert window(rows, 256) == [TIE, 91, ON, 1299, 191, 1138, 1066, 291, OFF, 1066, 1]


def test_of_overlapping_notes_of_a_key_the_tie_section_tells_who_sounds():
  assert window([(0, 9, 60), (1, 2, 60)], 256)[:3] == [1135, 1064, TIE]
  assert window([(0, 9, 60), (1, 9, 60)], 256)[:3] == [1135, 1064, TIE]  # once


def test_without_ties_there_is_no_tie_section():
  assert song([(0, 6, 60)], ties=False) == [[1135, ON, 1064, 1], [91, 1135, OFF, 1064, 1]]


def test_shifts_over_the_longest_are_split():
  rows = [(0, 0.5, 60), (25, 25.5, 60)]
  assert window(rows, 0, 2000) == [TIE, 1135, ON, 1064, 53, OFF, 1064, 1003, 1003, 503, ON, 1064, 1003, 1003, 553, OFF, 1064, 1]
  assert window([(25, 26, 60)], 0, 1301) == [TIE, 1003, 1003, 503, 1135, ON, 1064, 1003, 1003, 603, OFF, 1064, 1]
  assert window([(10, 20, 60)], 0, 1300) == [TIE, 1003, 1135, ON, 1064, 1003, 1003, OFF, 1064, 1]


def test_velocity_bins():
  assert song([(0, 1, 60, 1), (0, 1, 62, 127), (0, 1, 64, 127)], velocity_bins=127) == [
    [1260, 1261, 1133, 1064, 1259, 1066, 1068, 103, 1132, 1064, 1066, 1068, 1]
  ]


def test_granularity():
  rows = [(0, 6, 60, 100, 3), (0, 6, 62, 100, 1)]
  assert song(rows, programs='flat')[1] == [1064, 1066, TIE, 91, OFF, 1064, 1066, 1]
  assert song(rows, programs='midi_class')[0] == [TIE, 1135, ON, 1064, 1066, 1]
  assert song(rows)[0] == [TIE, 1136, ON, 1066, 1138, 1064, 1]


def test_onsets_only_say_when_which_pitch_is_struck():
  onsets: Any = {'onsets_only': True, 'ties': False}
  assert song([(0.5, 1.0, 60), (0.75, 1.5, 64)], **onsets) == [[53, 1064, 78, 1068, 1]]
  # by pitch, whatever the program; what goes on from before has no part; drums are told apart
  rows = [(4.0, 6.0, 50), (5.5, 6.0, 62, 90, 8), (5.5, 6.0, 61, 10, 40), (5.5, 5.6, 36), (7.0, 7.1, 62, 100, 3)]
  notes = Notes.from_rows(rows)
  drum = np.array([False, False, False, True, False])
  events = song_events(dataclasses.replace(notes, is_drum=drum), NotesConfig(velocity_bins=127, **onsets))
  expected = [41, 1004 + 61, 1004 + 62, Codec(NotesConfig(velocity_bins=127)).drum + 36, 191, 1004 + 62, 1]
  assert tokens(encode_segments(events, np.array([256]))) == [expected]
  with pytest.warns(InputWarning, match='1 of 4 notes'):
    encode_segments(events, np.array([256]), length=6)
  with pytest.raises(InputError, match='onsets_only is True and ties is True'):
    song([], onsets_only=True)


def test_onsets_only_are_read_back():
  notes = Notes.from_rows([(0.5, 1.0, 60), (0.75, 1.5, 64), (6.0, 6.5, 60)])
  config = NotesConfig(onsets_only=True, ties=False)
  heard = decode_segments(encode_song(song_events(notes, config)), config)
  np.testing.assert_allclose(heard.onset, notes.onset)
  np.testing.assert_array_equal(heard.pitch, notes.pitch)
  np.testing.assert_allclose(heard.offset, notes.onset + 0.01)


def test_a_note_of_no_length_is_not_stuck():
  assert song([(1, 1, 60)]) == [[TIE, 103, 1135, ON, 1064, 104, OFF, 1064, 1]]


def random_notes(count=400, later_steps=0, seed=0):
  rng = np.random.default_rng(seed)
  onset = rng.integers(0, 4000, count)
  offset = onset + rng.choice([1, 10, 100, 1200], count)
  program = rng.choice([0, 1, 40], count)
  columns = rng.integers(50, 60, count), rng.integers(1, 128, count), program, rng.random(count) < 0.3
  return Notes((onset + later_steps) / 100, (offset + later_steps) / 100, *columns)


def test_a_window_does_not_depend_on_where_the_piece_starts():
  config = NotesConfig(velocity_bins=127)
  for start in (1, 100, 777):
    row = encode_segments(song_events(random_notes(), config), np.array([start]))
    moved = encode_segments(song_events(random_notes(later_steps=-2 * start), config), np.array([0]))
    assert (row == moved).all()


def test_windows_in_any_order_equal_windows_one_by_one():
  events = song_events(random_notes(), NotesConfig(velocity_bins=127))
  starts = np.array([900, 3, 256, 3, 5000, 0])
  frames = np.array([256, 100, 256, 256, 256, 1])
  rows = encode_segments(events, starts, frames)
  for row, start, length in zip(rows, starts, frames, strict=True):
    assert (row == encode_segments(events, np.array([start]), int(length))[0]).all()
  assert (count_tokens(events, starts, frames) == (rows != 0).sum(axis=1)).all()
  assert encode_segments(events, np.zeros(0, int)).shape == (0, 2048)


def test_equal_to_one_event_at_a_time():
  from benchmarks import tokenizer

  notes = tokenizer.dense_piece(30)
  columns = (notes.onset, notes.offset, notes.pitch, notes.velocity, notes.program, notes.is_drum)
  plain = list(zip(*(column.tolist() for column in columns), strict=True))
  for config in (NotesConfig(), NotesConfig(velocity_bins=127)):
    rows = tokens(encode_song(song_events(notes, config)))
    assert rows == tokenizer.encode_tightly(plain, config) == tokenizer.encode_stepwise(plain, config)


CROWD = [(0.1 * n, 0.1 * n + 0.05, 60 + n, 100 - n) for n in range(10)]


def test_too_long_fails_where_strict():
  events = song_events(Notes.from_rows(CROWD), NotesConfig())
  with pytest.raises(InputError, match='window at frame 0 has 62 tokens, room is for 61'):
    encode_segments(events, np.array([0]), length=61, too_long='error')


def test_too_long_gives_an_empty_row_to_skip():
  events = song_events(Notes.from_rows(CROWD), NotesConfig())
  rows = encode_segments(events, np.array([0, 100]), length=30, too_long='drop')
  assert tokens(rows) == [[], [TIE, 1]]


def test_too_long_loses_the_quietest_notes_with_a_warning():
  events = song_events(Notes.from_rows(CROWD), NotesConfig())
  with pytest.warns(InputWarning, match='4 of 10 notes'):
    row = encode_segments(events, np.array([0]), length=40)
  assert tokens(row) == song(CROWD[:6])


def test_no_room_for_any_note_is_an_error():
  with pytest.raises(InputError, match='no room'):
    encode_segments(song_events(Notes.from_rows(CROWD), NotesConfig()), np.array([0]), length=1)


GOLDEN = {
  'vel1_ties': ('ns', NotesConfig()),
  'vel127_ties': ('ns', NotesConfig(velocity_bins=127)),
  'vel127_noties': ('ns', NotesConfig(velocity_bins=127, ties=False)),
  'vel1_ties_midi': (None, NotesConfig()),
  'sustain_vel1_ties': ('sustain_applied', NotesConfig()),
}


@pytest.mark.parametrize('tag', GOLDEN)
def test_the_published_rows(golden, tag):
  source, config = GOLDEN[tag]
  notes = Notes.from_rows(json.loads((golden / 'notes.json').read_text())[source]) if source else read_midi(golden / 'ns.mid')
  with np.load(golden / 'tokens.npz') as expected:
    count = int(expected[f'{tag}/num_segments'])
    rows = [expected[f'{tag}/seg{i}/tokens'].tolist() for i in range(count)]
  assert tokens(encode_song(song_events(notes, config), num_frames(12.0) if source == 'ns' else None)) == rows


def test_the_published_rows_of_midi_files(golden):
  config = NotesConfig(programs='slakh_classes')
  files = sorted((golden / 'midi').glob('*.npz'))
  assert len(files) == 9
  for file in files:
    with np.load(file) as expected:
      np.testing.assert_array_equal(encode_song(song_events(read_midi(file.with_suffix('.mid')), config)), expected['tokens'], file.name)
