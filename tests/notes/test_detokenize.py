import json

import numpy as np
import pytest

from mt3_synth.config import NotesConfig
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes import Notes, decode_segments, encode_song, song_events
from mt3_synth.notes.codec import bin_to_velocity, velocity_to_bin

TIE, OFF, ON = 1134, 1132, 1133


def spans(*rows, **config):
  width = max(map(len, rows))
  notes = decode_segments(np.array([[*row, *[0] * (width - len(row))] for row in rows]), NotesConfig(**config))
  return [(round(a, 6), round(b, 6), p) for a, b, p in zip(notes.onset.tolist(), notes.offset.tolist(), notes.pitch.tolist(), strict=True)]


def test_the_worked_example():
  assert spans([TIE, 53, 1135, ON, 1064, 78, 1068, 103, OFF, 1064, 153, 1068, 1]) == [(0.5, 1.0, 60), (0.75, 1.5, 64)]


def test_what_the_tie_section_does_not_name_ends():
  first = [TIE, 1135, ON, 1064, 1068, 1]
  assert spans(first, [1135, 1064, TIE, 103, OFF, 1064, 1]) == [(0, 6.12, 60), (0, 5.12, 64)]
  assert spans(first[1:], [103, OFF, 1135, 1064, 1068, 1], ties=False) == [(0, 6.12, 60), (0, 6.12, 64)]


def test_a_named_note_that_did_not_sound_starts():
  assert spans([1135, 1064, TIE, 103, OFF, 1064, 1]) == [(0, 1, 60)]


def test_a_note_lasts_a_step_at_least_and_a_drum_one():
  assert spans([TIE, 1135, ON, 1064, OFF, 1064, ON, 1299, 1]) == [(0, 0.01, 60), (0, 0.01, 36)]


def test_a_key_struck_again_ends_before():
  assert spans([TIE, 1135, ON, 1064, 53, 1064, 103, OFF, 1064, 1]) == [(0, 0.5, 60), (0.5, 1, 60)]


def test_long_shifts_add_up():
  assert spans([TIE, 1003, 503, 1135, ON, 1064, 1003, 1003, OFF, 1064, 1]) == [(15, 20, 60)]


def test_tokens_after_the_end_are_nothing():
  assert spans([TIE, 1135, ON, 1064, 1, 1068, 1]) == [(0, 0.01, 60)]
  assert spans([0, 1135, ON, 1064, 1]) == []


def test_senseless_tokens_are_passed_over_with_a_warning():
  with pytest.warns(InputWarning, match='4 tokens have no sense'):
    assert spans([TIE, 1135, OFF, 1064, 1299, 2, TIE, ON, 1068, 1]) == [(0, 0.01, 64)]


def test_ids_outside_the_vocabulary_are_refused():
  with pytest.raises(InputError, match='expected 0 to 1490'):
    decode_segments(np.array([[1491]]), NotesConfig())


def grid_piece(bins):
  """Notes on the grid, no overlaps of a key, velocities a bin gives back."""
  rng = np.random.default_rng(3)
  onset = rng.integers(0, 2500, 500)
  offset = onset + rng.choice([1, 2, 30, 700], 500)
  drum = rng.random(500) < 0.2
  program = np.where(drum, 0, rng.choice([0, 33, 70], 500))
  velocity = bin_to_velocity(velocity_to_bin(rng.integers(1, 128, 500), bins), bins)
  notes = Notes(onset / 100, offset / 100, rng.integers(40, 60, 500), velocity, program, drum).trim_overlaps()
  return Notes(
    notes.onset,
    np.where(notes.is_drum, notes.onset + 0.01, notes.offset),
    *(getattr(notes, f) for f in ('pitch', 'velocity', 'program', 'is_drum')),
  )


@pytest.mark.parametrize('config', [NotesConfig(), NotesConfig(velocity_bins=127), NotesConfig(velocity_bins=16, ties=False)])
def test_notes_on_the_grid_come_back(config):
  notes = grid_piece(config.velocity_bins)
  again = decode_segments(encode_song(song_events(notes, config)), config)
  assert len(again) == len(notes)
  for column in ('onset', 'offset', 'pitch', 'velocity', 'program', 'is_drum'):
    np.testing.assert_allclose(getattr(again, column), getattr(notes, column), atol=1e-9)


@pytest.mark.parametrize(
  ('tag', 'config'),
  [
    ('vel1_ties', NotesConfig()),
    ('vel127_ties', NotesConfig(velocity_bins=127)),
    ('vel127_noties', NotesConfig(velocity_bins=127, ties=False)),
    ('vel1_ties_midi', NotesConfig()),
    ('sustain_vel1_ties', NotesConfig()),
  ],
)
def test_the_published_decoding(golden, tag, config):
  with np.load(golden / 'tokens.npz') as file:
    rows = [file[f'{tag}/seg{i}/tokens'] for i in range(int(file[f'{tag}/num_segments']))]
  notes = decode_segments(np.stack([np.pad(row, (0, 256 - len(row))) for row in rows]), config)
  expected = Notes.from_rows(json.loads((golden / 'notes.json').read_text())[f'decoded/{tag}']['notes']).sorted()
  for column in ('onset', 'offset', 'pitch', 'velocity', 'program', 'is_drum'):
    np.testing.assert_allclose(getattr(notes, column), getattr(expected, column), atol=1e-9)
