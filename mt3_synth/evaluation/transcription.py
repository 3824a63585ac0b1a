"""How many of a piece's notes can be heard in a sound: scores of a transcription against the notes, by mir_eval's definitions."""

import warnings
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from mt3_synth.errors import InputError
from mt3_synth.notes import Notes
from mt3_synth.notes.programs import Granularity, map_programs

ONSET_TOLERANCE = 0.05  # seconds
PITCH_TOLERANCE = 50.0  # cents
OFFSET_RATIO, OFFSET_MIN_TOLERANCE = 0.2, 0.05  # of the reference's duration; seconds
_SHORTEST = 1e-3  # seconds: mir_eval takes no note without duration


class Scores(NamedTuple):
  """Share of the notes heard that are right, share of the notes that are heard, and their harmonic mean."""

  precision: float
  recall: float
  f1: float


def score_transcription(reference: Notes, estimate: Notes, granularity: Granularity, offsets: bool = False) -> Scores:
  """Scores of one song.

  Notes match within an instrument (a program as `granularity` maps it; drums keep theirs), when their pitches and onsets do (within
  50 ms), each once at most; with `offsets`, when their offsets do too (within 50 ms or a fifth of the note's duration), but for drums.

  Returns:
    shares of all notes of all instruments together; 0 where either list is empty, not a number where both are.

  Raises:
    InputError: mir_eval is not installed.
  """
  if not len(reference) and not len(estimate):
    return Scores(float('nan'), float('nan'), float('nan'))
  matched = len(match_notes(reference, estimate, granularity, offsets))
  precision, recall = matched / max(len(estimate), 1), matched / max(len(reference), 1)
  return Scores(precision, recall, 2 * precision * recall / (precision + recall) if matched else 0.0)


def onset_errors(reference: Notes, estimate: Notes) -> np.ndarray:
  """How late each matched note was heard [ms], whatever its instrument; negative where early."""
  pairs = match_notes(reference, estimate, 'flat', offsets=False)
  return 1000 * (estimate.onset[pairs[:, 1]] - reference.onset[pairs[:, 0]])


def match_notes(reference: Notes, estimate: Notes, granularity: Granularity, offsets: bool) -> np.ndarray:
  """Rows of notes that match, int [matches, 2]: of the reference and of the estimate, each once."""
  match, pairs = _mir_eval().transcription.match_notes, [np.zeros((0, 2), int)]
  of_reference, of_estimate = (_by_key(notes, granularity) for notes in (reference, estimate))
  # MIDI's pitches are 100 cents apart and at most 50 match: the matching of each pitch alone is that of all, from far smaller matrices.
  for key in of_reference.keys() & of_estimate.keys():
    rows, is_drum = (of_reference[key], of_estimate[key]), key[1]
    (a, a_hertz), (b, b_hertz) = (_intervals(notes, of_key) for notes, of_key in zip((reference, estimate), rows, strict=True))
    ratio = OFFSET_RATIO if offsets and not is_drum else None
    found = match(a, a_hertz, b, b_hertz, ONSET_TOLERANCE, PITCH_TOLERANCE, ratio, OFFSET_MIN_TOLERANCE)
    if found:
      here = np.array(found)
      pairs.append(np.stack([rows[0][here[:, 0]], rows[1][here[:, 1]]], axis=1))
  return np.concatenate(pairs)


def without_drums(notes: Notes) -> Notes:
  return notes.select(~notes.is_drum)


def _by_key(notes: Notes, granularity: Granularity) -> dict[tuple, np.ndarray]:
  """Rows of each (program, is_drum, pitch)."""
  program = np.where(notes.is_drum, notes.program, map_programs(notes.program, granularity))
  keys, which = np.unique(np.stack([program, notes.is_drum, notes.pitch], axis=1), axis=0, return_inverse=True)
  return {(int(key[0]), bool(key[1]), int(key[2])): np.flatnonzero(which == index) for index, key in enumerate(keys)}


def _intervals(notes: Notes, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """[M, 2] seconds and [M] Hz as mir_eval takes them."""
  notes = notes.select(rows)
  longer = replace(notes, offset=np.maximum(notes.offset, notes.onset + _SHORTEST))  # a copy: the notes stay as they are
  return np.stack([longer.onset, longer.offset], axis=1), 440 * 2 ** ((longer.pitch - 69) / 12)


@cache
def _mir_eval() -> Any:
  try:
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # of its own imports
      import mir_eval
  except ImportError:
    raise InputError('scores of transcriptions need mir_eval; pip install mt3_synth[eval]') from None
  return mir_eval
