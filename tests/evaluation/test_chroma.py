import numpy as np
import pytest

from mt3_synth.evaluation.chroma import chroma, chroma_cosine


def tone(hertz, seconds=1.0):
  return np.sin(2 * np.pi * hertz * np.arange(int(16000 * seconds)) / 16000)


@pytest.mark.parametrize(('hertz', 'pitch_class'), [(261.63, 0), (440.0, 9), (880.0, 9), (493.88, 11)])
def test_a_tone_lies_in_its_pitch_class(hertz, pitch_class):
  energy = chroma(tone(hertz))
  assert (energy.argmax(1) == pitch_class).all()
  assert (energy[:, pitch_class] > 0.9 * energy.sum(1)).all()


def test_cosine_is_one_for_the_same_notes_in_another_octave_and_near_zero_for_others():
  assert chroma_cosine(tone(440), 0.1 * tone(880)) > 0.98
  assert chroma_cosine(tone(440), tone(622.25)) < 0.1


def test_silence_of_the_target_does_not_count():
  target = np.concatenate([tone(440, 5), np.zeros(80000)])
  assert chroma_cosine(target, np.concatenate([tone(440, 5), tone(622.25, 5)])) > 0.95
  assert np.isnan(chroma_cosine(np.zeros(16000), tone(440)))


def test_clips_shorter_than_a_window_are_measured():
  assert chroma_cosine(tone(440, 0.1), tone(440, 0.1)) == pytest.approx(1)
