import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.griffin_lim import music
from mt3_synth.audio.mel import log_mel
from mt3_synth.config import MelConfig
from mt3_synth.errors import InputError
from mt3_synth.inverter import gan
from mt3_synth.inverter.choosing import choose_inverter
from mt3_synth.inverter.gan import GanInverter
from mt3_synth.inverter.generator import Generator, Heard, phases, reach, waveform
from mt3_synth.models.pretrained import save_pretrained
from tests.inverter.tiny import TINY, drawn


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('inverter')
  save_pretrained(folder, TINY, drawn(), 'float32')
  return folder


@pytest.fixture(scope='module')
def mel():
  return np.asarray(log_mel(music(4)))[None, :197]


@pytest.fixture
def inverter(folder, monkeypatch):
  monkeypatch.setattr(gan, 'CHUNK', 64)
  return GanInverter(folder)


@jax.jit
def at_once(mel):
  """A whole piece by one run of the network."""
  count, bins = mel.shape[1], TINY.mel.fft // 2 + 1
  return waveform(Generator(TINY), drawn(), mel, jnp.ones(count), jnp.zeros((len(mel), bins)), 0, count).sound


def test_chunks_joined_are_the_whole(inverter, mel):
  sound = inverter(mel)
  assert sound.shape == (1, 197 * 320)
  assert sound.dtype == np.float32
  assert np.abs(sound).max() > 0.01
  assert_allclose(sound, at_once(mel), atol=1e-4)


def test_parts_of_any_length_give_the_same_sound(inverter, mel):
  cuts = [0, 1, 70, 71, 140, 197]
  parts = list(inverter.stream(mel[:, a:b] for a, b in zip(cuts, cuts[1:], strict=False)))
  assert len(parts) > 1
  assert_array_equal(np.concatenate(parts, axis=1), inverter(mel))


@pytest.mark.parametrize('frames', [1, 65])
def test_any_length_is_served(inverter, mel, frames):
  assert_allclose(inverter(mel[:, :frames]), at_once(mel[:, :frames]), atol=1e-4)


def test_rows_do_not_hear_one_another(inverter, mel):
  both = inverter(np.concatenate([mel[:, :80], mel[:, 80:160]]))
  assert_allclose(both[1:], inverter(mel[:, 80:160]), atol=1e-4)


def test_no_sample_depends_on_frames_out_of_reach(mel):
  hearing, listening = reach(TINY.generator)
  changed = mel.copy()
  changed[:, 150:] = 0.0
  same = (150 - hearing - listening) * 320
  assert_allclose(at_once(mel)[:, :same], at_once(changed)[:, :same], atol=1e-5)
  assert np.abs(at_once(mel) - at_once(changed))[:, same + 320 * listening :].max() > 1e-3


def test_phases_advance_as_they_are_told_from_the_nearest_peak():
  bins = TINY.mel.fft // 2 + 1
  magnitude = jnp.ones((1, 3, bins)).at[:, :, 100].set(2.0).at[:, :, 16].set(2.0)
  quarter = jnp.broadcast_to(jnp.array([0.0, 1.0]), (1, 3, bins, 2))  # a quarter of a turn beyond the bin's own advance
  turns = phases(Heard(jnp.zeros((1, 3, 1)), magnitude, quarter), jnp.zeros((1, bins)), jnp.ones(3), MelConfig())
  # The own advance of bin 16 is 16 * 320 / 1024 = 5 turns, of bin 100 31.25 turns.
  assert_allclose(turns[0, :, 16], [0.25, 0.5, 0.75], atol=1e-5)
  assert_allclose(turns[0, :, 20], [0.25, 0.5, 0.75], atol=1e-5)
  assert_allclose(turns[0, :, 101] % 1, [0.5, 0.0, 0.5], atol=1e-5)


@pytest.mark.parametrize(
  ('spoil', 'says'),
  [
    (lambda mel: np.where(np.arange(128) == 3, np.nan, mel), 'NaN or infinite in 197 of 197 frames'),
    (lambda mel: mel[:, :, :80], '80 bands; this inverter expects 128'),
    (lambda mel: mel[:, :0], 'at least one row and one frame'),
    (lambda mel: mel[0], r'expected \[B, T, D\]'),
  ],
)
def test_what_is_no_mel_is_told(inverter, mel, spoil, says):
  with pytest.raises(InputError, match=says):
    inverter(spoil(mel))


def test_an_inverter_is_chosen_by_its_folder(folder, tmp_path):
  assert isinstance(choose_inverter(folder, MelConfig()), GanInverter)
  with pytest.raises(InputError, match='an inverter of MelConfig'):
    choose_inverter(folder, dataclasses.replace(MelConfig(), hop=160))
  with pytest.raises(InputError, match='no such folder|no inverter'):
    choose_inverter(tmp_path / 'nothing', MelConfig())


def test_a_damaged_folder_is_told(folder, tmp_path):
  (tmp_path / 'config.json').write_text((folder / 'config.json').read_text())
  with pytest.raises(InputError, match='neither model.safetensors nor'):
    GanInverter(tmp_path)
  (tmp_path / 'model.safetensors').write_bytes((folder / 'model.safetensors').read_bytes()[:1000])
  with pytest.raises(InputError, match='unreadable or cut short'):
    GanInverter(tmp_path)
