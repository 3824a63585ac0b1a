"""Notes are heard at their pitch and time."""

import numpy as np

from mt3_synth.evaluation.sonify import sonify
from mt3_synth.notes import Notes


def test_a_note_is_a_tone_of_its_pitch_while_it_lasts():
  sound = sonify(Notes.from_rows([(0.5, 1.0, 69)]), 2.0)
  assert sound.shape == (32000,)
  assert not sound[:8000].any()
  assert not sound[16000:].any()
  assert np.abs(np.fft.rfft(sound[8000:16000])).argmax() == 220  # 440 Hz, of bins of 2 Hz
  assert np.abs(sound).max() == np.float32(0.5)


def test_what_lies_outside_is_cut():
  notes = Notes.from_rows([(0.5, 9.0, 60), (8.0, 9.0, 60), (0.9, 9.9, 36, 100, 0, True)])
  assert sonify(notes, 1.0).shape == (16000,)
  assert not sonify(Notes.empty(), 1.0).any()
