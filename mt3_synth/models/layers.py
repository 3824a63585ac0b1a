"""The layers every network is made of (T5 1.1: no biases, RMS norm, gated MLP, logits not divided by sqrt(dim)).

Kernels are float32 and two-dimensional, heads joined, each axis with a logical name that the partitioning rules map to the mesh.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import NetworkConfig
from mt3_synth.errors import InputError
from mt3_synth.models.blocked_attention import blocked_attention

DROPOUT_BROADCAST = (-2,)  # one dropout mask for all positions of an example, as T5X does

attention_init = nn.initializers.variance_scaling(1.0, 'fan_in', 'normal')
mlp_init = nn.initializers.variance_scaling(1.0, 'fan_in', 'truncated_normal')


class Dense(nn.Module):
  """x [..., in] -> [..., features], no bias."""

  features: int
  axes: tuple[str, str]
  dtype: str
  kernel_init: Callable = mlp_init

  @nn.compact
  def __call__(self, x):
    init = nn.with_logical_partitioning(self.kernel_init, self.axes)
    kernel = self.param('kernel', init, (x.shape[-1], self.features), jnp.float32)
    # Two-dimensional: on CPUs the gradient of a product with batch dimensions takes twice the time.
    flat = x.astype(self.dtype).reshape(-1, x.shape[-1]) @ jnp.asarray(kernel, self.dtype)
    return flat.reshape(*x.shape[:-1], self.features)


class RMSNorm(nn.Module):
  """Divides by the root mean square of the last axis; computed in float32."""

  dtype: str

  @nn.compact
  def __call__(self, x):
    x = x.astype(jnp.float32)
    scale = self.param('scale', nn.with_logical_partitioning(nn.initializers.ones, ('embed',)), (x.shape[-1],), jnp.float32)
    return (x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6) * scale).astype(self.dtype)


class Embed(nn.Module):
  """A table [rows, features]; `take` looks rows up."""

  rows: int
  features: int
  embedding_init: Callable = nn.initializers.normal(1.0)

  def setup(self):
    init = nn.with_logical_partitioning(self.embedding_init, ('vocab', 'embed'))
    self.embedding: Any = self.param('embedding', init, (self.rows, self.features), jnp.float32)

  def take(self, ids):
    return jnp.take(self.embedding, ids, axis=0)


class PositionTable(Embed):
  """Sinusoids of permuted bands and random phases, drawn once, never trained, part of the checkpoint (`fixed_permuted_offset`)."""

  embedding_init: Callable = lambda key, shape, dtype: permuted_sinusoids(key, *shape).astype(dtype)

  def __call__(self, length: int):
    """[length, features]."""
    return jax.lax.stop_gradient(self.embedding[:length])


class Sinusoids(nn.Module):
  """Plain sinusoids, which are no parameters (`fixed`)."""

  features: int

  def __call__(self, length: int):
    """[length, features]."""
    return sinusoids(length, self.features)


def position_encoding(config: NetworkConfig, rows: int) -> PositionTable | Sinusoids:
  """The positions of at most `rows` tokens or frames."""
  return Sinusoids(config.emb_dim) if config.position_encoding == 'fixed' else PositionTable(rows, config.emb_dim)


def sinusoids(rows: int, features: int, sine_phases: Any = 0.0, cosine_phases: Any = 0.0) -> jax.Array:
  """[rows, features]: sines, then cosines, of periods of 2 pi to 20000 pi positions (Vaswani et al., 2017)."""
  bands = features // 2
  rates = np.exp(np.arange(bands) * -(math.log(10000.0) / (bands - 1)))
  angles = jnp.asarray(np.arange(rows)[:, None] * rates, jnp.float32)  # multiplied in float64: far positions turn by hundreds of periods
  return jnp.concatenate([jnp.sin(angles + sine_phases), jnp.cos(angles + cosine_phases)], axis=-1)


def permuted_sinusoids(key: jax.Array, rows: int, features: int) -> jax.Array:
  """[rows, features]: `sinusoids` in random order and with random phases."""
  order_key, cosine_key, sine_key = jax.random.split(key, 3)
  phases = lambda key: jax.random.uniform(key, (features // 2,), maxval=2 * math.pi)
  return jax.random.permutation(order_key, sinusoids(rows, features, phases(sine_key), phases(cosine_key)), axis=1)


class MultiHeadAttention(nn.Module):
  """Queries x [B, Q, E] over keys and values that `project` made of [B, K, E]."""

  config: NetworkConfig
  mean_of_unseen: bool = False  # where a query sees no key, it hears the mean of all values instead of nothing

  def setup(self):
    c = self.config
    joined = c.num_heads * c.head_dim

    def query_init(key, shape, dtype):
      return attention_init(key, shape, dtype) / math.sqrt(c.head_dim)

    self.query = Dense(joined, ('embed', 'joined_kv'), c.dtype, query_init)
    self.key = Dense(joined, ('embed', 'joined_kv'), c.dtype, attention_init)
    self.value = Dense(joined, ('embed', 'joined_kv'), c.dtype, attention_init)
    self.out = Dense(c.emb_dim, ('joined_kv', 'embed'), c.dtype, attention_init)

  def _heads(self, x):
    return x.reshape(*x.shape[:-1], self.config.num_heads, self.config.head_dim)

  def project(self, memory):
    """The keys and values [B, K, H, head_dim] of `memory` [B, K, E]: they serve every query, so compute them once."""
    return self._heads(self.key(memory)), self._heads(self.value(memory))

  def __call__(self, x, keys_values, mask=None, first_keys: bool = False):
    """What x hears, [B, Q, E].

    Args:
      x: [B, Q, E].
      keys_values: of `project`.
      mask: broadcast to [B, Q, K]; keys where it is 0 are not seen.  Where none is, see `mean_of_unseen`.
      first_keys: the mask is [B, 1, K], and those it lets be seen are the first of each row.
    """
    seen = None if mask is None else (mask > 0)[:, None]
    queries, (keys, values) = self._heads(self.query(x)), keys_values
    # Attention weights have no dropout of their own: fused kernels offer none, and the residual's is kept.
    if self._is_fused(queries):
      heard = _fused_attention(queries, keys, values, seen, first_keys)
    elif self._is_blocked(queries, keys):
      heard = blocked_attention(queries, keys, values, seen, self.mean_of_unseen)
    else:
      heard = self._plain_attention(queries, keys, values, seen)
    return self.out(heard.reshape(*x.shape[:-1], -1))

  def _is_fused(self, queries) -> bool:
    c = self.config
    there = jax.default_backend() == 'gpu' and c.dtype == 'bfloat16' and c.head_dim % 8 == 0 and c.head_dim <= 128
    if c.attention == 'cudnn' and not there:
      raise InputError(
        f"NetworkConfig.attention is 'cudnn', which needs a CUDA GPU, dtype 'bfloat16' and a head_dim of 8, 16, ... 128; found "
        f"{jax.default_backend()}, {c.dtype!r} and {c.head_dim}: leave it at 'auto'"
      )
    return there and c.attention != 'plain' and not self.mean_of_unseen and queries.shape[1] > 1

  def _is_blocked(self, queries, keys) -> bool:
    # Of one device alone: a walk over rows and heads would gather those that others hold.
    alone = jax.default_backend() == 'cpu' and jax.device_count() == 1
    return alone and self.config.attention == 'auto' and queries.shape[1] * keys.shape[1] >= LONG

  def _plain_attention(self, queries, keys, values, seen):
    logits = jnp.einsum('bqhd,bkhd->bhqk', queries, keys).astype(jnp.float32)
    if seen is not None:
      logits = logits + jnp.where(seen, 0.0, -1e10)
    weights = jnp.exp(logits - jax.lax.stop_gradient(logits.max(-1, keepdims=True)))
    # What is heard is divided by the weights' sum, not each weight: on CPUs cross-attention takes half the time.
    share = 1 / weights.sum(-1, keepdims=True)
    if seen is not None and not self.mean_of_unseen:
      share = jnp.where(seen.any(-1, keepdims=True), share, 0)
    heard = jnp.einsum('bhqk,bkhd->bhqd', weights.astype(values.dtype), values) * share.astype(values.dtype)
    return heard.swapaxes(1, 2)


LONG = 1024 * 1024  # queries times keys from which CPUs attend in blocks
FUSED = 'cudnn'  # the implementation of fused attention that jax.nn.dot_product_attention is asked for


def _fused_attention(queries, keys, values, seen, first_keys):
  """[B, Q, H, head_dim] by kernels that keep no attention weights."""
  attend = partial(jax.nn.dot_product_attention, queries, keys, values, scale=1.0, implementation=FUSED)
  if seen is None:
    return attend()
  any_seen = seen.any(-1)[..., None]  # [B or 1, 1, Q or 1, 1]
  if first_keys:  # the rest of each row is not computed
    heard = attend(key_value_seq_lengths=jnp.maximum(seen[:, 0, 0].sum(-1), 1).astype(jnp.int32))
  else:
    heard = attend(mask=jnp.broadcast_to(seen, (len(queries), 1, queries.shape[1], keys.shape[1])))
  return jnp.where(any_seen.swapaxes(1, 2), heard, 0)


class GatedMLP(nn.Module):
  """gelu(x wi_0) * (x wi_1) wo."""

  config: NetworkConfig

  @nn.compact
  def __call__(self, x, deterministic: bool):
    c = self.config
    gate = nn.gelu(Dense(c.mlp_dim, ('embed', 'mlp'), c.dtype, name='wi_0')(x))
    x = gate * Dense(c.mlp_dim, ('embed', 'mlp'), c.dtype, name='wi_1')(x)
    x = nn.Dropout(c.dropout, DROPOUT_BROADCAST)(x, deterministic)
    return Dense(c.emb_dim, ('mlp', 'embed'), c.dtype, name='wo')(x)


class FiLM(nn.Module):
  """Scale and bias of the features from the time embedding (Perez et al., 2018)."""

  config: NetworkConfig

  def setup(self):
    self.DenseGeneral_0 = Dense(2 * self.config.emb_dim, ('vocab', 'embed'), self.config.dtype)

  def __call__(self, time_embedding):
    """[S, 4E] -> [S, 2E], scale first."""
    return self.DenseGeneral_0(time_embedding)


def modulate(x: jax.Array, film: jax.Array) -> jax.Array:
  """x [B, T, E] (1 + scale) + bias, with `film` [B or 1, 2E] of `FiLM`."""
  scale, bias = jnp.split(film[:, None, :], 2, axis=-1)
  return x * (1 + scale) + bias


def time_signal(time: jax.Array, features: int, max_time: float) -> jax.Array:
  """Sines then cosines [S, features] of diffusion time [S] in [0, 1), at rates from `max_time` down to 1."""
  bands = features // 2
  # By the device, not by the compiler, which rounds otherwise: at angles of up to 20000 that is seen in the output.
  with jax.ensure_compile_time_eval():
    rates = jnp.exp(jnp.arange(bands, dtype=jnp.float32) * -(math.log(max_time) / (bands - 1)))
  angles = time[:, None] * max_time * rates
  return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
