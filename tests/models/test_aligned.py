"""Laws of aligned notes: which frames hear a note, and how loud."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.testing import assert_allclose

from mt3_synth.audio.mel import unscale
from mt3_synth.models.aligned import BASIS, AlignedNoteEncoder, basis, harmonic_combs
from tests.data.tiny import tiny_model
from tests.models.examples import notes_at


def test_a_frame_hears_a_note_only_around_it():
  phi = np.asarray(basis(notes_at([4.0], [8.0]), 16))
  assert phi.shape == (1, 16, 1, BASIS)
  held = phi[0, :, 0, 0]
  # Frame t is centred at t + 1: frames 4-6 lie inside the note, 3 and 7 on its edges.
  assert_allclose(held, [0, 0, 0, 0.5, 1, 1, 1, 0.5, 0, 0, 0, 0, 0, 0, 0, 0])
  assert (phi[0, :2] == 0).all()


def test_an_onset_between_frames_is_told_apart():
  at = lambda onset: np.asarray(basis(notes_at([onset], [9.0]), 16))
  assert np.abs(at(4.0) - at(4.25)).max() > 0.2


def test_the_comb_of_a_pitch_peaks_at_its_harmonics():
  combs = np.asarray(harmonic_combs(None, (256, 128)))
  band = lambda hertz: round(1127 * np.log1p(hertz / 700) / (1127 * np.log1p(8000 / 700) / 129)) - 1
  assert combs[69].argmax() == band(440)
  peaks = [n for n in range(1, 127) if combs[69, n] > max(-4, combs[69, n - 1], combs[69, n + 1])]
  assert peaks[:4] == [band(440), band(880), band(1320), band(1760)]
  assert np.abs(combs[48:100] - combs[49:101]).max(axis=1).min() > 0.5  # no two neighbours alike
  assert (combs[128:] == 0).all()


def test_magnitudes_of_notes_add_up():
  """Twice the same note is log 2 louder; no note is the floor."""
  encoder = AlignedNoteEncoder(tiny_model('aligned').network)
  one, two = notes_at([2.0], [9.0]), notes_at([2.0, 2.0], [9.0, 9.0])
  params = jax.jit(encoder.init, static_argnums=2)(jax.random.key(0), one, True)
  level = jax.jit(lambda notes: unscale(encoder.apply(params, notes, True)[1]))
  sounding = slice(4, 8)
  assert_allclose(level(two)[0, sounding] - level(one)[0, sounding], np.log(2), atol=1e-2)
  assert_allclose(level(one._replace(mask=jnp.zeros((1, 1))))[0], np.log(1e-5), atol=1e-4)
