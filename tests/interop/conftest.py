"""Models whose parameters all differ from one another, so that exchanged ones are noticed."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest
from flax import traverse_util

from mt3_synth.config import ModelConfig, NetworkConfig, NotesConfig
from mt3_synth.models.pretrained import parameter_shapes
from tests.data.tiny import TINY

PUBLISHED = NotesConfig(programs='slakh_classes')
NETWORK = dataclasses.replace(TINY, encoder_layers=2, decoder_layers=2, dropout=0.0, note_features=NetworkConfig().note_features)
CONFIGS = {
  'context': ModelConfig(notes=PUBLISHED, network=NETWORK),
  'basic': ModelConfig(notes=PUBLISHED, network=dataclasses.replace(NETWORK, context_frames=0)),
  'autoregressive': ModelConfig(
    notes=PUBLISHED,
    network=dataclasses.replace(NETWORK, context_frames=0, position_encoding='fixed', mask_padding=False),
    decoder='autoregressive',
  ),
}


def drawn_params(config: ModelConfig) -> Any:
  rng = np.random.default_rng(0)
  flat = {tuple(name.split('/')): rng.normal(size=shape).astype(np.float32) for name, shape in parameter_shapes(config).items()}
  return traverse_util.unflatten_dict(flat)


@pytest.fixture(scope='session')
def params() -> Any:
  return {name: drawn_params(config) for name, config in CONFIGS.items()}


def assert_same(found: Any, expected: Any) -> None:
  jax.tree.map(np.testing.assert_array_equal, found, expected)
