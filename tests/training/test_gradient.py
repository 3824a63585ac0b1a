"""The gradient of a batch: whole or in parts, of rows cut or not."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import ModelConfig
from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import make_model
from mt3_synth.training.step import _part_gradient, gradient
from tests.data.tiny import CONTEXT, FRAMES, HOP, TINY, tiny_variant, untrained

FAST: Any = {'xla_backend_optimization_level': 0}


def batch(config: ModelConfig, tokens: list[int]) -> dict[str, np.ndarray]:
  """Rows of so many tokens, and of as many frames more than 3 as they come."""
  rng = np.random.default_rng(0)
  count, length = len(tokens), config.network.note_length
  sound = lambda frames: rng.integers(-9000, 9000, (count, (frames + 1) * HOP)).astype(np.int16)
  return {
    'notes': (rng.integers(3, 1400, (count, length)) * (np.arange(length) < np.array(tokens)[:, None])).astype(np.int32),
    'audio': sound(FRAMES),
    'frames': np.arange(count, dtype=np.int32) * 4 + 3,
    'context_audio': sound(CONTEXT),
    'context_frames': np.full(count, CONTEXT, np.int32),
  }


def compute(config: ModelConfig, rows: dict[str, Any], microbatches: int = 1, lengths: tuple[int, ...] = ()) -> Any:
  model = make_model(config)
  found = jax.jit(lambda params, rows: gradient(params, rows, jax.random.key(1), model, microbatches, lengths))
  return jax.device_get(found.lower(untrained(config), rows).compile(FAST)(untrained(config), rows))


def assert_same(found, expected):
  jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, expected)


def test_parts_of_a_batch_make_its_gradient():
  """Of a model that draws nothing, and rows of different lengths: each frame counts as much as any other."""
  config = tiny_variant('ar', dropout=0.0)
  rows = batch(config, [10, 64, 0, 30])
  whole = compute(config, rows)
  assert_same(compute(config, rows, 2), whole)
  assert_same(compute(config, jax.tree.map(lambda x: x[[0, 2, 1, 3]], rows), 4), whole)


def test_each_part_has_draws_of_its_own():
  """Twice the same row in two parts: were the draws the same, the loss would be the row's alone."""
  config = tiny_variant('basic', dropout=0.0)
  rows = jax.tree.map(lambda x: x[[1, 1]], batch(config, [10, 20]))
  losses = [compute(config, part, count)[1]['loss'] for part, count in ((rows, 2), (jax.tree.map(lambda x: x[:1], rows), 1))]
  assert abs(losses[0] - losses[1]) > 1e-3


def test_token_rows_are_cut_to_what_the_longest_needs():
  config = tiny_variant('basic', note_length=512, dropout=0.3)
  assert config.network.token_buckets == (256, 512)
  rows = batch(config, [10, 256])
  model = make_model(config)
  uncut = jax.jit(lambda params: jax.grad(lambda params: model.loss(params, to_model_batch(rows, model), jax.random.key(1))[0])(params))
  found = compute(config, rows, lengths=config.network.token_buckets)[0]
  assert_same(found, jax.device_get(uncut.lower(untrained(config)).compile(FAST)(untrained(config))))


def test_rows_that_hear_their_padding_are_whole():
  assert tiny_variant('ar', mask_padding=False, note_length=2048).network.token_buckets == (2048,)
  assert tiny_variant('context', 'aligned', note_length=2048).network.token_buckets == (2048,)
  assert TINY.token_buckets == (TINY.note_length,)


@pytest.mark.parametrize(('longest', 'length'), [(256, 256), (257, 512), (512, 512), (513, 600), (0, 256)])
def test_no_token_is_cut_off(longest, length):
  """The program that is run is the shortest that holds them all."""
  config = tiny_variant('basic', note_length=600)

  class Watching:
    def loss(self, params, batch, key):
      return params * 1.0, {'length': jnp.asarray(batch['conditions'].notes.shape[1])}

  model_batch = to_model_batch(batch(config, [min(longest, 5), longest]), make_model(config))
  watching: Any = Watching()
  assert _part_gradient(jnp.zeros(()), model_batch, jax.random.key(0), watching, config.network.token_buckets)[1]['length'] == length
