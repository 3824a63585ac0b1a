"""Laws of the diffusion models, for both ways to condition."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.audio.mel import unscale
from mt3_synth.config import DiffusionConfig, ModelConfig, SamplerConfig
from mt3_synth.gin_files import read_gin
from mt3_synth.models.aligned import BASIS, AlignedNoteEncoder, AlignedNotes, basis, harmonic_combs
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import make_model
from mt3_synth.training.config import TrainConfig
from tests.models.conftest import NETWORK


def notes_at(onset, offset, pitch=60, program=0, mask=1):
  row = lambda x, dtype: jnp.asarray(x, dtype).reshape(1, -1)
  like = np.ones(np.size(onset))
  return AlignedNotes(
    row(onset, jnp.float32), row(offset, jnp.float32), row(pitch * like, jnp.int32), row(program * like, jnp.int32),
    row(0.8 * like, jnp.float32), row(mask * like, jnp.float32),
  )  # fmt: skip


def make(conditioning, **diffusion):
  network = dataclasses.replace(NETWORK, conditioning=conditioning, note_length=8)
  model = make_model(ModelConfig(network=network, diffusion=DiffusionConfig(**diffusion)))
  params = nn.meta.unbox(model.init(jax.random.key(0)))
  notes = jnp.array([[5, 6, 7, 1, 0, 0, 0, 0]]) if conditioning == 'tokens' else notes_at([2.0, 5.5], [6.0, 9.0])
  context = jax.random.uniform(jax.random.key(1), (1, 16, 128), minval=-1)
  return model, params, Conditions(notes, context, jnp.ones((1, 16), jnp.int32))


@pytest.fixture(params=['tokens', 'aligned'])
def any_model(request):
  return make(request.param)


def apply(model, params, conditions, z=None):
  z = jnp.zeros((len(conditions.context), 16, 128)) if z is None else z
  return model.network.apply({'params': params}, z, jnp.full(len(z), 0.5), conditions)


def test_notes_and_context_are_heard(any_model):
  model, params, conditions = any_model
  plain = apply(model, params, conditions)
  assert not np.allclose(plain, apply(model, params, conditions._replace(context=-conditions.context)))
  other = conditions.notes * 2 if isinstance(conditions.notes, jax.Array) else conditions.notes._replace(pitch=conditions.notes.pitch + 7)
  assert not np.allclose(plain, apply(model, params, conditions._replace(notes=other)))


def test_dropped_conditions_are_not_heard(any_model):
  model, params, conditions = any_model
  nothing = conditions.where(jnp.array([False]))
  changed = nothing._replace(context=-nothing.context)
  assert_allclose(apply(model, params, nothing), apply(model, params, changed))


def test_padding_changes_nothing(any_model):
  model, params, conditions = any_model
  if isinstance(conditions.notes, AlignedNotes):
    shorter = jax.tree.map(lambda x: jnp.pad(x, [(0, 0), (0, 3)]), conditions.notes)
  else:
    shorter = conditions.notes[:, :4]
  assert_allclose(apply(model, params, conditions), apply(model, params, conditions._replace(notes=shorter)), atol=1e-5)


def test_a_partial_context_is_placed_before_the_target(any_model):
  """Positions count back from the last valid frame: what lies behind the mask is not seen."""
  model, params, conditions = any_model
  half = conditions._replace(context_mask=conditions.context_mask.at[:, 8:].set(0))
  noise = half._replace(context=half.context.at[:, 8:].set(0.3))
  assert_allclose(apply(model, params, half), apply(model, params, noise), atol=1e-6)


def test_guidance_of_one_equals_the_doubled_batch_of_nearly_one(any_model):
  model, params, conditions = any_model
  draw = lambda weight: model.predict(params, conditions, jax.random.key(0), SamplerConfig(name='ddim', steps=3, guidance=weight))
  assert_allclose(draw(1.0), draw(1.0 + 1e-6), atol=2e-3)
  assert not np.allclose(draw(1.0), draw(3.0), atol=2e-3)


def test_predictions_are_in_range_and_repeat(any_model):
  model, params, conditions = any_model
  draw = lambda seed: np.asarray(model.predict(params, conditions, jax.random.key(seed), SamplerConfig(steps=4, guidance=1.0)))
  assert draw(0).shape == (1, 16, 128)
  assert np.abs(draw(0)).max() <= 1
  assert (draw(0) == draw(0)).all()
  assert (draw(0) != draw(1)).any()


def test_the_loss_repeats_with_its_key_and_falls_when_trained(any_model):
  model, params, conditions = any_model
  batch = {'conditions': conditions, 'targets': jnp.full((1, 16, 128), 0.25), 'targets_mask': jnp.ones((1, 16))}
  value = jax.jit(lambda p, key: model.loss(p, batch, key)[0])
  assert value(params, jax.random.key(3)) == value(params, jax.random.key(3))
  first = value(params, jax.random.key(0))
  descend = jax.jit(lambda p, key: jax.tree.map(lambda x, g: x - 0.2 * g, p, jax.grad(value)(p, key)))
  for step in range(60):
    params = descend(params, jax.random.key(step))
  assert value(params, jax.random.key(0)) < 0.9 * first


def test_context_dropout_and_noise_reach_the_network():
  model, params, conditions = make('aligned', context_dropout=1.0)
  batch = {'conditions': conditions, 'targets': jnp.zeros((1, 16, 128)), 'targets_mask': jnp.ones((1, 16))}
  loss = lambda b: model.loss(params, b, jax.random.key(0))[0]
  assert loss(batch) == loss(batch | {'conditions': conditions._replace(context=-conditions.context)})


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
  network = dataclasses.replace(NETWORK, conditioning='aligned')
  encoder = AlignedNoteEncoder(network)
  one, two = notes_at([2.0], [9.0]), notes_at([2.0, 2.0], [9.0, 9.0])
  params = encoder.init(jax.random.key(0), one, True)
  level = lambda notes: unscale(np.asarray(encoder.apply(params, notes, True)[1]))
  sounding = slice(4, 8)
  assert_allclose(level(two)[0, sounding] - level(one)[0, sounding], np.log(2), atol=1e-2)
  assert_allclose(level(one._replace(mask=jnp.zeros((1, 1))))[0], np.log(1e-5), atol=1e-4)


@pytest.mark.parametrize(('size', 'millions'), [('small', 104.0), ('base', 411.7)])
def test_parameter_counts_are_the_published(size, millions):
  config = read_gin(TrainConfig, [f'gin_configs/models/diffusion/context/{size}.gin'], ["MODEL_DIR='x'", "CORPORA=('x',)"])
  shapes = jax.eval_shape(make_model(config.model).init, jax.random.key(0))
  assert round(sum(x.size for x in jax.tree.leaves(nn.meta.unbox(shapes))) / 1e6, 1) == millions
