"""Scores of transcriptions: mir_eval's own on random lists, by hand with instruments."""

import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.errors import InputError
from mt3_synth.evaluation import transcription
from mt3_synth.evaluation.transcribing import onset_timing
from mt3_synth.evaluation.transcription import match_notes, onset_errors, score_transcription, without_drums
from mt3_synth.notes import Notes, concatenate


def random_notes(count, seed, programs=1, drums=0.0):
  rng = np.random.default_rng(seed)
  onset = rng.uniform(0, 20, count)
  is_drum = rng.uniform(size=count) < drums
  return Notes(
    onset, onset + rng.exponential(0.3, count), rng.integers(60, 66, count), np.full(count, 90), rng.integers(0, programs, count), is_drum
  )


def heard(notes, seed):
  """A transcription with faults: late, early, cut, wrong, missing and made up notes."""
  rng = np.random.default_rng(seed)
  kept = notes.select(rng.uniform(size=len(notes)) < 0.8)
  onset = np.maximum(kept.onset + rng.normal(scale=0.03, size=len(kept)), 0)
  length = (kept.offset - kept.onset) * rng.uniform(0.6, 1.4, len(kept))
  moved = Notes(onset, onset + length, kept.pitch, kept.velocity, kept.program, kept.is_drum)
  return concatenate([moved, random_notes(20, seed + 1)])


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('offsets', [False, True])
def test_of_one_instrument_scores_are_mir_evals(seed, offsets):
  """On the whole lists at once, which are split by pitch here."""
  mir_eval = pytest.importorskip('mir_eval')
  reference, estimate = random_notes(150, seed), heard(random_notes(150, seed), seed + 10)
  columns = []
  for notes in (reference, estimate):
    columns += [np.stack([notes.onset, np.maximum(notes.offset, notes.onset + 1e-3)], 1), mir_eval.util.midi_to_hz(notes.pitch)]
  kwargs = {} if offsets else {'offset_ratio': None}
  expected = mir_eval.transcription.precision_recall_f1_overlap(*columns, **kwargs)[:3]
  found = score_transcription(reference, estimate, 'flat', offsets)
  assert_allclose(found, expected, rtol=1e-12)
  assert 0.2 < found.f1 < 0.9


@pytest.mark.parametrize('offsets', [False, True])
@pytest.mark.parametrize('granularity', ['flat', 'midi_class', 'full'])
def test_of_instruments_counts_add_up(granularity, offsets):
  mir_eval = pytest.importorskip('mir_eval')
  reference = random_notes(200, 0, programs=24, drums=0.2)
  estimate = heard(reference, 1)
  matched = 0
  to_group = {'flat': lambda p: 0 * p, 'midi_class': lambda p: p // 8 * 8, 'full': lambda p: p}[granularity]
  groups = lambda notes: np.where(notes.is_drum, -1 - notes.program, to_group(notes.program))
  for group in range(-24, 128):
    sides = []
    for notes in (reference, estimate):
      own = notes.select(groups(notes) == group)
      sides += [np.stack([own.onset, own.offset + 1e-9], 1), mir_eval.util.midi_to_hz(own.pitch)]
    if len(sides[0]) and len(sides[2]):
      matched += len(mir_eval.transcription.match_notes(*sides, offset_ratio=0.2 if offsets and group >= 0 else None))
  found = score_transcription(reference, estimate, granularity, offsets)
  assert_allclose(found[:2], [matched / len(estimate), matched / len(reference)])
  assert_allclose(found.f1, 2 * matched / (len(estimate) + len(reference)))


def test_what_each_granularity_tells_apart():
  reference = Notes.from_rows([(0, 1, 60, 90, 0), (1, 2, 60, 90, 1), (2, 3, 60, 90, 24), (3, 4, 38, 90, 0, True)])
  estimate = Notes.from_rows([(0, 1, 60, 90, 1), (1, 2, 60, 90, 1), (2, 3, 60, 90, 1), (3, 4, 38, 90, 0, True)])
  assert [score_transcription(reference, estimate, each).f1 for each in ('flat', 'midi_class', 'full')] == [1, 0.75, 0.5]
  as_drum = Notes.from_rows([(3, 4, 38, 90, 0, False)])
  assert score_transcription(reference, as_drum, 'flat').f1 == 0
  other_kit = Notes.from_rows([(3, 4, 38, 90, 25, True)])
  assert score_transcription(reference, other_kit, 'flat').f1 == 0


def test_a_drums_offset_does_not_count():
  reference = Notes.from_rows([(0, 0.1, 38, 90, 0, True), (1, 1.5, 60)])
  estimate = Notes.from_rows([(0, 2, 38, 90, 0, True), (1, 3, 60)])
  assert score_transcription(reference, estimate, 'full', offsets=True) == (0.5, 0.5, 0.5)
  assert score_transcription(reference, estimate, 'full').f1 == 1


def test_perfect_is_one_and_nothing_is_zero_without_warnings():
  notes = random_notes(50, 0, programs=5, drums=0.2)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    for granularity in ('flat', 'midi_class', 'full'):
      for offsets in (False, True):
        assert score_transcription(notes, notes, granularity, offsets) == (1, 1, 1)
        assert score_transcription(notes, Notes.empty(), granularity, offsets) == (0, 0, 0)
        assert score_transcription(Notes.empty(), notes, granularity, offsets) == (0, 0, 0)
        assert np.isnan(score_transcription(Notes.empty(), Notes.empty(), granularity, offsets)).all()


def test_notes_without_length_are_scored_and_stay_as_they_are():
  notes = Notes.from_rows([(0, 0, 60), (1, 1, 62)])
  assert score_transcription(notes, notes, 'flat', offsets=True).f1 == 1
  assert_array_equal(notes.offset, notes.onset)


def test_of_two_notes_for_one_only_one_is_right():
  assert score_transcription(Notes.from_rows([(1, 2, 60)]), Notes.from_rows([(1, 2, 60), (1.01, 2, 60)]), 'flat') == (0.5, 1, 2 / 3)
  assert match_notes(Notes.from_rows([(1, 2, 60)]), Notes.from_rows([(5, 6, 60), (1.02, 2, 60)]), 'flat', False).tolist() == [[0, 1]]


def test_lateness_of_what_is_heard():
  reference = Notes.from_rows([(1, 2, 60), (2, 3, 61), (3, 4, 62), (5, 6, 63)])
  estimate = Notes.from_rows([(1.02, 2, 60, 90, 9), (1.99, 3, 61), (3.04, 4, 62), (5.2, 6, 63)])
  assert sorted(onset_errors(reference, estimate)) == pytest.approx([-10, 20, 40])
  assert onset_timing(reference, estimate) == pytest.approx({'onset_error_median_ms': 20, 'onset_error_iqr_ms': 25})
  assert np.isnan(list(onset_timing(reference, Notes.empty()).values())).all()
  assert len(without_drums(Notes.from_rows([(0, 1, 60), (0, 1, 38, 90, 0, True)]))) == 1


def test_without_mir_eval_it_is_told(monkeypatch):
  transcription._mir_eval.cache_clear()
  monkeypatch.setitem(sys.modules, 'mir_eval', None)
  with pytest.raises(InputError, match='need mir_eval; pip install'):
    score_transcription(random_notes(3, 0), random_notes(3, 0), 'flat')
