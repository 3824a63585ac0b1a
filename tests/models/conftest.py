"""The tiny network whose values the published system computed."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from mt3_synth.config import ModelConfig, NetworkConfig
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import make_model

NETWORK = NetworkConfig(
  emb_dim=32,
  num_heads=4,
  head_dim=8,
  encoder_layers=2,
  decoder_layers=2,
  mlp_dim=64,
  dropout=0.0,
  note_length=64,
  target_frames=16,
  context_frames=16,
)


@pytest.fixture(scope='package')
def published(golden):
  """Arrays, the model, its parameters and the conditions of four examples."""
  arrays = np.load(golden / 'net_context_main.npz')
  params = {tuple(name.split('/')[1:]): arrays[name] for name in arrays.files if name.startswith('param/')}
  conditions = Conditions(jnp.asarray(arrays['tokens']), jnp.asarray(arrays['context_scaled']), jnp.asarray(arrays['context_mask']))
  return arrays, make_model(ModelConfig(network=NETWORK)), traverse_util.unflatten_dict(params), conditions
