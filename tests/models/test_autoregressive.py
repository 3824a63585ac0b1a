"""Laws of the autoregressive models: what a frame may know, and that one by one is as all at once."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.audio.mel import scale
from mt3_synth.models.autoregressive import shift_right
from tests.data.tiny import SCALED, tiny_variant
from tests.models.examples import example, outputs
from tests.models.test_diffusion import names


def test_the_target_is_told_one_frame_later():
  targets = jnp.arange(1.0, 7.0).reshape(1, 3, 2)
  assert_array_equal(shift_right(targets)[0], [[0, 0], [1, 2], [3, 4]])


@pytest.mark.parametrize('name', ['ar', 'mixture'])
@pytest.mark.parametrize('conditioning', ['tokens', 'aligned'])
def test_a_frame_knows_nothing_of_what_follows(name, conditioning):
  case = example(tiny_variant(name, conditioning))
  later = case.targets.at[:, 7:].add(1.0)
  assert_allclose(outputs(case, frames=later)[:, :7], outputs(case)[:, :7], atol=1e-6)
  assert not np.allclose(outputs(case, frames=later)[:, 7], outputs(case)[:, 7], atol=1e-3)


@pytest.mark.parametrize('name', ['ar', 'ar_context'])
@pytest.mark.parametrize('conditioning', ['tokens', 'aligned'])
def test_decoding_frame_by_frame_is_teacher_forcing_of_itself(name, conditioning):
  case = example(tiny_variant(name, conditioning))
  both = jax.jit(
    lambda key: [f(case.params, case.conditions, key, *more) for f, *more in ((case.model.decode,), (case.model.predict, None))]
  )
  decoded, predicted = both(jax.random.key(0))
  assert_allclose(outputs(case, frames=shift_right(decoded)), decoded, atol=2e-5)
  assert_array_equal(predicted, decoded.clip(-1, 1))


@functools.cache
def decoder(**autoregressive):
  """Frames of a key."""
  config = tiny_variant('mixture', 'aligned', target_frames=4)
  case = example(dataclasses.replace(config, autoregressive=dataclasses.replace(config.autoregressive, **autoregressive)))
  return jax.jit(lambda key: case.model.decode(case.params, case.conditions, jax.random.key(key)))


def test_temperature_and_dither():
  likeliest, drawn, dithered = decoder(temperature=0.0), decoder(), decoder(temperature=0.0, dither=0.5)
  plain = np.asarray(likeliest(0))
  assert_array_equal(likeliest(1), plain)
  assert np.abs(drawn(0) - drawn(1)).max() > 0.01
  assert_allclose(dithered(0)[:, 0], plain[:, 0], atol=1e-6)  # dither is on what is fed back, not on what is heard
  assert np.abs(dithered(0)[:, 1:] - plain[:, 1:]).max() > 1e-3


def test_targets_in_logarithms():
  """The same network on log-mel: predictions are scaled at the end, and aligned notes add their level in the units of the targets."""
  raw = example(dataclasses.replace(tiny_variant('ar', 'aligned'), autoregressive=dataclasses.replace(SCALED, targets='log_mel')))
  scaled = example(tiny_variant('ar', 'aligned'))
  params = jax.tree.map(np.zeros_like, scaled.params['decoder']['spec_out_dense'])
  silent = {**scaled.params, 'decoder': {**scaled.params['decoder'], 'spec_out_dense': params}}
  level = lambda case: outputs(case._replace(params=silent))
  assert level(raw).min() < -5
  assert_allclose(scale(level(raw)), np.clip(level(scaled), -1, 1), atol=1e-5)


def test_noise_on_the_previous_frames_is_of_training_alone():
  def losses(noise):
    case = example(dataclasses.replace(tiny_variant('ar'), autoregressive=dataclasses.replace(SCALED, input_noise=noise)))
    batch = {'conditions': case.conditions, 'targets': case.targets, 'targets_mask': jnp.ones((2, 16))}
    return case.model.loss(case.params, batch, jax.random.key(0))[0], case.model.evaluation_loss(case.params, batch, jax.random.key(0))[
      'loss'
    ]

  (plain, plain_evaluation), (noisy, noisy_evaluation) = jax.jit(lambda: (losses(0.0), losses(1.0)))()
  assert plain != noisy
  assert plain_evaluation == noisy_evaluation


def test_the_published_encoder_hears_padding():
  case = example(tiny_variant('ar', mask_padding=False, position_encoding='fixed'))
  shorter = case.conditions._replace(notes=case.conditions.notes[:, :4])
  assert not np.allclose(outputs(case), outputs(case, shorter), atol=1e-3)


def test_parameters_have_their_published_names():
  found = names(tiny_variant('ar', position_encoding='fixed'))
  assert {name.split('/')[0] for name in found} == {'encoder', 'decoder'}
  assert not [name for name in found if 'FiLM' in name or 'Embed_0' in name or 'time_emb' in name]
  assert found['decoder/layers_0/encoder_decoder_attention/query/kernel'] == (16, 16)
  mixture = names(tiny_variant('mixture', position_encoding='fixed'))
  assert mixture == found | {'decoder/spec_out_dense/kernel': (16, 2 * (1 + 2 * 128))}
