"""The tiny networks whose values the published system computed."""

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from mt3_synth.config import ModelConfig
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import Model, make_model
from tests.data.tiny import TINY

NETWORK = dataclasses.replace(
  TINY, emb_dim=32, num_heads=4, encoder_layers=2, decoder_layers=2, mlp_dim=64, dropout=0.0, target_frames=16, context_frames=16
)


class Published(NamedTuple):
  arrays: Any  # of the golden file
  model: Model
  params: Any
  conditions: Conditions  # of four examples


def _read(file, config) -> tuple[Any, Model, Any]:
  arrays = np.load(file)
  params = {tuple(name.split('/')[1:]): arrays[name] for name in arrays.files if name.startswith('param/')}
  return arrays, make_model(config), traverse_util.unflatten_dict(params)


@pytest.fixture(scope='package')
def published(golden) -> Published:
  """The diffusion model with context."""
  arrays, model, params = _read(golden / 'net_context_main.npz', ModelConfig(network=NETWORK))
  conditions = Conditions(jnp.asarray(arrays['tokens']), jnp.asarray(arrays['context_scaled']), jnp.asarray(arrays['context_mask']))
  return Published(arrays, model, params, conditions)


@pytest.fixture(scope='package')
def published_ar(golden) -> Published:
  """The autoregressive model."""
  network = dataclasses.replace(NETWORK, context_frames=0, position_encoding='fixed', mask_padding=False)
  arrays, model, params = _read(golden / 'net_ar_main.npz', ModelConfig(network=network, decoder='autoregressive'))
  return Published(arrays, model, params, Conditions(jnp.asarray(arrays['tokens'])))
