"""Attention in blocks is attention, and so is its gradient."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import NetworkConfig
from mt3_synth.models import blocked_attention
from mt3_synth.models.layers import MultiHeadAttention

KEYS = 9
MASKS = {  # [B or 1, Q or 1, K]
  'none': None,
  'first keys, and none': np.arange(KEYS) < np.array([[[4]], [[0]]]),
  'one for all rows': (np.arange(KEYS) % 3 > 0)[None, None],
  'of each query': np.arange(KEYS) < np.arange(7)[None, :, None],  # the first sees nothing
}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
  monkeypatch.setattr(blocked_attention, 'BLOCK', 4)


def heard_and_gradients(monkeypatch, blocked, mask, mean_of_unseen=False, dtype: Any = 'float32'):
  """What seven queries hear, two rows of them, and the gradients of parameters, queries and memory."""
  monkeypatch.setattr(MultiHeadAttention, '_is_blocked', lambda self, queries, keys: blocked)
  layer = MultiHeadAttention(NetworkConfig(emb_dim=6, num_heads=3, head_dim=4, dtype=dtype), mean_of_unseen)
  rng = np.random.default_rng(0)
  x, memory, weight = (jnp.asarray(rng.normal(size=(2, n, 6)), jnp.float32) for n in (7, KEYS, 7))
  attend = lambda layer, x, memory: layer(x, layer.project(memory), mask)
  params = layer.init(jax.random.key(0), x, memory, method=attend)

  def weighted(params, x, memory):
    heard: Any = layer.apply(params, x, memory, method=attend)
    return (heard * weight).sum().astype(jnp.float32), heard

  return jax.jit(jax.grad(weighted, (0, 1, 2), has_aux=True))(params, x, memory)


@pytest.mark.parametrize('mean_of_unseen', [False, True])
@pytest.mark.parametrize('mask', MASKS.values(), ids=MASKS)
def test_blocks_hear_the_same(monkeypatch, mask, mean_of_unseen):
  plain, blocked = (heard_and_gradients(monkeypatch, how, mask, mean_of_unseen) for how in (False, True))
  jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-4, atol=1e-5), blocked, plain)


def test_blocks_hear_the_same_in_bfloat16(monkeypatch):
  plain, blocked = (heard_and_gradients(monkeypatch, how, None, dtype='bfloat16') for how in (False, True))
  jax.tree.map(lambda a, b: assert_allclose(np.float32(a), np.float32(b), atol=0.03 * abs(np.float32(b)).max()), blocked, plain)


@pytest.mark.parametrize(('attention', 'length', 'expected'), [('auto', 1024, True), ('auto', 512, False), ('plain', 1024, False)])
def test_long_rows_are_heard_in_blocks_on_one_cpu(monkeypatch, attention, length, expected):
  monkeypatch.setattr(jax, 'default_backend', lambda: 'cpu')
  monkeypatch.setattr(jax, 'device_count', lambda: 1)
  rows = jax.ShapeDtypeStruct((1, length, 6, 64), jnp.float32)
  assert MultiHeadAttention(NetworkConfig(attention=attention))._is_blocked(rows, rows) == expected
  monkeypatch.setattr(jax, 'device_count', lambda: 2)
  assert not MultiHeadAttention(NetworkConfig(attention=attention))._is_blocked(rows, rows)
