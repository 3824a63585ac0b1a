"""However layers are computed, they give the same."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import ModelConfig
from mt3_synth.errors import InputError
from mt3_synth.models import layers
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import make_model
from tests.data.tiny import CONTEXT, FRAMES, tiny_variant, untrained

FAST: Any = {'xla_backend_optimization_level': 0}
HOW = [{'remat': 'full'}, {'scan_layers': True, 'remat': 'minimal'}]


def batch() -> dict:
  rng = np.random.default_rng(0)
  tokens = rng.integers(3, 1400, (3, 64)) * (np.arange(64) < [[64], [20], [0]])
  context = Conditions(tokens, rng.uniform(-1, 1, (3, CONTEXT, 128)), np.arange(CONTEXT) < [[CONTEXT], [0], [3]])
  return {
    'conditions': jax.tree.map(jnp.asarray, context),
    'targets': jnp.asarray(rng.uniform(-1, 1, (3, FRAMES, 128))),
    'targets_mask': jnp.ones((3, FRAMES)),
  }


def deep(name: str, **network) -> ModelConfig:
  return tiny_variant(name, encoder_layers=2, decoder_layers=2, **network)


def loss_and_gradient(config):
  model = make_model(config)
  conditions = batch()['conditions']
  if not config.network.context_frames:
    conditions = Conditions(conditions.notes)
  compute = jax.jit(jax.value_and_grad(lambda params: model.loss(params, batch() | {'conditions': conditions}, jax.random.key(1))[0]))
  return jax.device_get(compute.lower(untrained(config)).compile(FAST)(untrained(config)))


@pytest.fixture(scope='module')
def plainly():
  return loss_and_gradient(deep('context', dropout=0.0))


def assert_same(found, expected):
  jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, expected)


@pytest.mark.parametrize('how', HOW)
def test_gradients_do_not_depend_on_how_layers_are_computed(how, plainly):
  assert_same(loss_and_gradient(deep('context', dropout=0.0, **how)), plainly)


def test_what_is_computed_again_has_the_same_dropout():
  expected = loss_and_gradient(tiny_variant('basic', dropout=0.5))
  assert_same(loss_and_gradient(tiny_variant('basic', dropout=0.5, remat='full')), expected)


@pytest.mark.slow
def test_a_decoder_of_frames_before_can_be_a_loop():
  expected = loss_and_gradient(deep('ar', dropout=0.0))
  assert_same(loss_and_gradient(deep('ar', dropout=0.0, scan_layers=True)), expected)


@pytest.mark.parametrize('remat', ['none', 'full'])
def test_parameters_have_the_same_names(remat):
  shapes = lambda config: jax.tree.map(jnp.shape, untrained(config))
  assert shapes(deep('context')) == shapes(deep('context', scan_layers=True, remat=remat))


def test_a_model_is_the_same_however_it_is_computed():
  config = deep('context')
  assert deep('context', scan_layers=True, remat='full', attention='plain').plain == config.plain == config
  assert deep('context', dropout=0.3).plain != config


def test_fused_attention_hears_the_same(plainly, monkeypatch):
  monkeypatch.setattr(layers, 'FUSED', 'xla')  # the same call, of a kernel that every device has
  monkeypatch.setattr(layers.MultiHeadAttention, '_is_fused', lambda self, queries: True)
  assert_same(loss_and_gradient(deep('context', dropout=0.0)), plainly)


def test_fused_attention_where_there_is_none_is_refused():
  config = deep('context', attention='cudnn')
  with pytest.raises(InputError, match="attention is 'cudnn', which needs a CUDA GPU"):
    loss_and_gradient(dataclasses.replace(config))
