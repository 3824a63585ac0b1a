import numpy as np
import pytest

from mt3_synth.config import NotesConfig
from mt3_synth.errors import InputWarning
from mt3_synth.notes import Notes, aligned_notes, bucket_of


def aligned(rows, start=0, frames=256, **options):
  columns = aligned_notes(Notes.from_rows(rows), start, frames, options.pop('config', NotesConfig()), **options)
  return {name: values[columns['mask']].tolist() for name, values in columns.items()}


def test_times_are_frames_from_the_window_with_fractions():
  notes = aligned([(2.005, 3.0, 60, 127, 5), (1.0, 9.0, 62, 0, 7)], start=100)
  assert notes['onset'] == pytest.approx([-50, 0.25])
  assert notes['offset'] == pytest.approx([350, 50])
  assert notes['pitch'] == [62, 60]
  assert notes['program'] == [7, 5]
  assert notes['velocity'] == [0, 1]


def test_drums_have_numbers_of_their_own():
  notes = aligned([(0, 0, 36, 100, 9, True)])
  assert (notes['pitch'], notes['program']) == ([164], [128])


def test_granularity_reduces_programs_but_not_drums():
  rows = [(0, 1, 60, 100, 29), (0, 1, 36, 100, 0, True)]
  assert aligned(rows, config=NotesConfig(programs='midi_class'))['program'] == [24, 128]
  assert aligned(rows, config=NotesConfig(programs='flat'))['program'] == [0, 128]


def test_what_sounds_or_ended_shortly_before_is_told():
  rows = [(0, 1.9, 60), (0, 2.1, 61), (4, 5, 62), (5, 6, 63), (6, 7, 64), (0, 20, 65), (2.5, 2.5, 36, 100, 0, True)]
  # the window is 5-6 s, the lead 3 s
  assert sorted(aligned(rows, start=250, frames=50)['pitch']) == [61, 62, 63, 65, 164]
  assert sorted(aligned(rows, start=250, frames=50, lead_frames=0)['pitch']) == [63, 65]


def test_padding_is_zeros_to_the_bucket():
  columns = aligned_notes(Notes.from_rows([(0, 1, 60)]), 0, 256, NotesConfig())
  assert {name: (values.shape, values.dtype.name) for name, values in columns.items()} == {
    'onset': ((64,), 'float32'),
    'offset': ((64,), 'float32'),
    'pitch': ((64,), 'int32'),
    'program': ((64,), 'int32'),
    'velocity': ((64,), 'float32'),
    'mask': ((64,), 'bool'),
  }
  assert all((values[1:] == 0).all() for values in columns.values())


def test_buckets():
  assert [bucket_of(n) for n in (0, 64, 65, 256, 512, 9999)] == [64, 64, 128, 256, 512, 512]


def test_no_notes():
  assert aligned([])['pitch'] == []


def test_too_many_lose_the_longest_ended_then_the_quietest_then_the_shortest():
  rows = [(0, 4, 60), (0, 4.5, 61), (5, 6, 62, 30), (5, 6, 63, 90), (5, 5.5, 64, 90)]
  kept = []
  for size in (4, 3, 2, 1):
    with pytest.warns(InputWarning, match=f'5 notes.*room is for {size}: {5 - size} are left out'):
      kept.append(sorted(aligned(rows, start=250, size=size)['pitch']))
  assert kept == [[61, 62, 63, 64], [62, 63, 64], [63, 64], [63]]


def test_a_window_agrees_with_the_piece_cropped():
  rng = np.random.default_rng(0)
  onset = np.sort(rng.uniform(0, 30, 500))
  notes = Notes(onset, onset + rng.uniform(0.02, 3, 500), rng.integers(0, 128, 500), np.full(500, 64), np.zeros(500), np.zeros(500))
  columns = aligned_notes(notes, 500, 100, NotesConfig(), lead_frames=0, size=512)
  cropped = notes.crop(10, 12)
  assert columns['mask'].sum() == len(cropped)
  held = np.clip(columns['offset'], 0, 100) - np.clip(columns['onset'], 0, 100)
  assert held[columns['mask']].sum() == pytest.approx((cropped.offset - cropped.onset).sum() * 50, rel=1e-4)
