"""Notes that stand where the sound begins are told from those that do not."""

import math

import numpy as np
import pytest

from mt3_synth.evaluation.alignment import align, spectral_flux
from mt3_synth.evaluation.sonify import sonify
from mt3_synth.notes import Notes

SECONDS = 20.0


def tune(seed: int = 0, stretch: float = 1.0) -> Notes:
  """Irregular onsets, so that one lag fits best."""
  rng = np.random.default_rng(seed)
  onsets = np.cumsum(rng.uniform(0.15, 0.6, 40)) * stretch
  return Notes.from_rows([(t, t + 0.25, int(rng.integers(48, 84))) for t in onsets if t < SECONDS - 1])


AUDIO = sonify(tune(), SECONDS)


@pytest.mark.parametrize('late', [0.0, 0.12, -0.2])
def test_the_lag_of_the_sound_is_found(late):
  found = align(AUDIO, tune().shift(-late))
  assert found.lag == pytest.approx(late, abs=0.011)
  assert found.score > 0.5
  assert found.drift == pytest.approx(0, abs=0.021)
  assert (found.suspicious != '') == (late != 0)
  assert ('late' in found.suspicious, 'early' in found.suspicious) == (late > 0, late < 0)


def test_int16_is_the_same_sound():
  assert align((AUDIO * 32767).astype(np.int16), tune()) == pytest.approx(align(AUDIO, tune()), abs=0.01)


def test_drift_is_told():
  found = align(AUDIO, tune(stretch=0.99))  # the sound is 0.1 s late at half time
  assert found.drift > 0.05
  assert found.suspicious


def test_notes_of_another_piece_do_not_agree():
  found = align(AUDIO, tune(seed=7))
  assert found.score < 0.15
  assert found.suspicious == 'notes and sound hardly agree'


@pytest.mark.parametrize('notes', [Notes.empty(), Notes.from_rows([(1.0, 2.0, 60)])])
def test_too_few_onsets_say_nothing(notes):
  found = align(AUDIO, notes)
  assert math.isnan(found.lag)
  assert found.suspicious == ''
  assert math.isnan(align(np.zeros(16000, np.int16), tune()).lag)


def test_flux_rises_at_the_step_where_sound_begins():
  audio = np.zeros(16000, np.float32)
  audio[8000:] = np.sin(np.arange(8000))
  flux = spectral_flux(audio)
  assert len(flux) == 100
  assert abs(int(flux.argmax()) - 50) <= 1
