from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.griffin_lim import music
from mt3_synth.audio.mel import log_mel, scale
from mt3_synth.errors import InputError
from mt3_synth.inverter import griffin_lim
from mt3_synth.inverter.griffin_lim import GriffinLim


def sine(frames, hertz=440.0):
  return 0.5 * np.sin(2 * np.pi * hertz * np.arange(frames * 320) / 16000).astype(np.float32)


def encode(audio):
  return np.asarray(log_mel(audio))


def distance(audio, mel):
  """Mean absolute difference in log units."""
  return np.abs(encode(audio) - mel).mean()


def test_the_mel_of_the_sound_is_the_mel_given():
  mel = encode(music(4))
  audio = GriffinLim()(mel[None])
  assert audio.shape == (1, 64000)
  assert audio.dtype == np.float32
  assert distance(audio[0], mel) < 0.1
  assert np.abs(scale(encode(audio[0])) - scale(mel)).mean() < 0.013


def test_more_iterations_momentum_and_free_magnitudes_each_come_closer():
  mel = encode(music(2))
  full = distance(GriffinLim(iterations=32)(mel[None])[0], mel)
  assert full < 0.8 * distance(GriffinLim(iterations=4)(mel[None])[0], mel)
  assert full < 0.8 * distance(GriffinLim(iterations=32, momentum=0)(mel[None])[0], mel)
  assert full < 0.8 * distance(GriffinLim(iterations=32, mel_updates=0)(mel[None])[0], mel)


def test_pitch_and_loudness_are_kept():
  audio = GriffinLim(iterations=32)(encode(sine(100))[None])[0]
  middle = audio[8000:24000]  # one second: FFT bins are 1 Hz apart
  assert abs(np.argmax(np.abs(np.fft.rfft(middle * np.hanning(16000)))) - 440) <= 3
  assert_allclose(np.sqrt(np.mean(middle**2)), 0.5 / np.sqrt(2), rtol=0.05)


def test_silence_stays_silent():
  assert_array_equal(GriffinLim(iterations=2)(np.full((1, 3, 128), np.log(1e-5)))[0], np.zeros(960))


def test_the_same_mel_gives_the_same_sound_in_any_batch():
  mel = np.stack([encode(sine(70)), encode(music(1.4))])
  invert = GriffinLim(iterations=8)
  both = invert(mel)
  assert_array_equal(both, invert(mel))
  assert_allclose(both[1], invert(mel[1:])[0], atol=1e-3)


def test_padding_to_a_compiled_length_changes_nothing():
  mel = encode(sine(100))[None]
  how = GriffinLim(iterations=8)
  exact = griffin_lim._invert(mel, 100, np.zeros((1, 5120), np.float32), False, how)
  assert_allclose(how(mel), exact, atol=1e-3)


def programs():
  invert: Any = griffin_lim._invert
  return invert._cache_size()


def test_lengths_share_compiled_programs():
  how = GriffinLim(iterations=3)
  how(np.zeros((1, 65, 128)))
  compiled = programs()
  for frames in (66, 100, 128):
    assert how(np.zeros((1, frames, 128))).shape == (1, frames * 320)
  assert programs() == compiled


def test_chunks_are_as_close_as_the_whole(monkeypatch):
  mel = encode(music(5))  # 250 frames
  how = GriffinLim(iterations=32)
  whole = distance(how(mel[None])[0], mel)
  monkeypatch.setattr(griffin_lim, 'CHUNK', 64)
  chunked = how(mel[None])[0]
  assert distance(chunked, mel) < 1.2 * whole + 0.01
  seams = [frame for start in (48, 96, 144, 192) for frame in range(start, start + griffin_lim.OVERLAP)]
  assert np.abs(encode(chunked) - mel)[seams].mean() < 1.5 * whole + 0.02


def test_a_tone_goes_on_through_the_seam(monkeypatch):
  monkeypatch.setattr(griffin_lim, 'CHUNK', 64)
  audio = GriffinLim(iterations=32)(encode(sine(160, 400.0))[None])[0]
  loudness = np.sqrt(np.mean(audio[320 * 8 : 320 * 152].reshape(-1, 40) ** 2, axis=1))  # each 40 samples: one period
  assert_allclose(loudness, 0.5 / np.sqrt(2), rtol=0.1)


@pytest.mark.parametrize(
  ('mel', 'says'),
  [
    (np.zeros((5, 128)), r'shape \[5, 128\]; expected \[B, T, D\]'),
    (np.zeros((1, 5, 80)), '80 bands; this inverter expects 128'),
    (np.zeros((1, 0, 128)), 'at least one row and one frame'),
    (np.where(np.arange(5)[:, None] == 3, np.nan, np.zeros((1, 5, 128))), 'in 1 of 5 frames, first in frame 3'),
    (np.full((1, 5, 128), 90.0), 'reaches 90; expected natural logarithms'),
  ],
)
def test_what_is_no_log_mel_is_refused(mel, says):
  with pytest.raises(InputError, match=says):
    GriffinLim()(mel)
