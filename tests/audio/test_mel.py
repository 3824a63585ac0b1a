import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.audio.mel import cut, log_mel, log_mel_in_blocks, mel_basis, samples_for, scale, unscale, window
from mt3_synth.config import MelConfig
from mt3_synth.errors import InputError

SILENCE = np.log(1e-5)


def noise(samples, seed=0):
  return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


def assert_same_features(actual, expected):
  """Equal in the logarithm where there is sound, in magnitude where the logarithm amplifies rounding."""
  actual = np.asarray(actual)
  assert actual.shape == expected.shape
  loud = expected > -5
  assert_allclose(actual[loud], expected[loud], rtol=0, atol=2e-4)
  assert_allclose(np.exp(actual[~loud]), np.exp(expected[~loud]), rtol=0, atol=2e-5)


def test_features_equal_the_published_ones(golden):
  reference = np.load(golden / 'mel.npz')
  assert_allclose(mel_basis(), reference['mel_basis'], atol=3e-5)
  assert_same_features(log_mel(reference['audio'][None])[0], reference['mel'])
  assert_same_features(log_mel(reference['audio']), reference['mel_1d_input'])
  assert_same_features(log_mel(reference['audio'][:1600]), reference['mel_first_1600_samples'])
  assert_allclose(scale(reference['mel']), reference['scaled'], atol=1e-6)
  assert_allclose(unscale(reference['scaled']), reference['unscaled'], atol=1e-5)


def test_segments_of_a_song_equal_the_published_ones(golden):
  song = np.load(golden / 'tokens.npz')
  for i, frames in enumerate([256, 256, 89]):  # the 601st frame, wholly past the end, is silence
    expected = song[f'vel1_ties/seg{i}/mel']
    assert_same_features(log_mel(cut(song['audio'], 256 * i, frames), frames=frames), expected)


def test_every_hop_begun_gives_a_frame():
  assert [log_mel(noise(s)).shape for s in (0, 1, 320, 321)] == [(0, 128), (1, 128), (1, 128), (2, 128)]


def test_a_segment_has_the_frames_of_the_whole():
  audio = noise(320 * 50 + 17)
  whole = log_mel(audio)
  assert samples_for(10) == 11 * 320
  assert_allclose(log_mel(cut(audio, 20, 10), frames=10), whole[20:30], atol=1e-5)
  assert_allclose(log_mel(cut(audio, 45, 10), frames=10)[:6], whole[45:], atol=1e-5)
  assert_array_equal(log_mel(cut(audio, 45, 10), frames=10)[6:], np.full((4, 128), np.float32(SILENCE)))
  without_what_follows = log_mel(audio[20 * 320 : 30 * 320])
  assert np.abs(without_what_follows[-1] - whole[29]).max() > 0.1


def test_the_energy_of_a_sine_lies_in_the_band_around_it():
  centre = 700 * (np.exp(np.log1p(8000 / 700) * 60 / 129) - 1)  # of band 59: edges 0..129 are evenly spaced on the mel scale
  mel = log_mel(0.5 * np.sin(2 * np.pi * centre * np.arange(16000) / 16000))
  assert_array_equal(np.argmax(mel[:-1], axis=1), 59)


def test_silence_is_the_floor_and_a_constant_has_no_weight():
  assert mel_basis()[0].sum() == mel_basis(MelConfig(low_hz=60))[0].sum() == 0
  assert_array_equal(np.flatnonzero(window() == 0), [0])  # periodic: only the first sample
  assert_array_equal(log_mel(np.zeros(640)), np.full((2, 128), np.float32(SILENCE)))


def test_int16_is_the_float_of_the_same_sound():
  audio = (noise(3200) * 32767).astype(np.int16)
  assert_allclose(log_mel(audio), log_mel(audio / np.float32(32768)), atol=1e-6)


def test_rows_of_a_batch_do_not_mix_and_the_function_compiles():
  audio = noise((2, 3, 1600))
  batched = jax.jit(log_mel)(audio)
  assert batched.shape == (2, 3, 5, 128)
  assert batched.dtype == np.float32
  assert_allclose(batched[1, 2], log_mel(audio[1, 2]), atol=1e-4)


def test_scaling_maps_floor_and_ceiling_to_the_unit_range():
  mel = np.array([SILENCE, (SILENCE + 4) / 2, 4, 9], np.float32)
  assert_allclose(scale(mel), [-1, 0, 1, 1], atol=1e-6)
  assert_allclose(unscale(scale(mel)), [SILENCE, (SILENCE + 4) / 2, 4, 4], atol=1e-5)
  assert isinstance(scale(mel), np.ndarray)


@pytest.mark.parametrize(
  ('audio', 'config', 'says'),
  [
    (np.zeros(640, np.int32), MelConfig(), 'int32; expected floats'),
    (np.float32(0), MelConfig(), 'scalar'),
    (np.zeros(640), MelConfig(window=2048), 'window 2048, fft 1024'),
    (np.zeros(640), MelConfig(sample_rate=8000), 'within 0 to 4000'),
  ],
)
def test_what_cannot_be_meant_is_refused(audio, config, says):
  with pytest.raises(InputError, match=says):
    log_mel(audio, config)


@pytest.mark.parametrize('samples', [0, 1, 320, 640 * 320, 1024 * 320, 1024 * 320 + 1])
def test_blocks_join_to_the_whole(samples):
  audio = np.random.default_rng(0).integers(-3000, 3000, samples).astype(np.int16)
  found = log_mel_in_blocks(audio)
  assert found.shape == (-(-samples // 320), 128)
  if samples:
    assert_allclose(found, log_mel(audio), atol=1e-5)
