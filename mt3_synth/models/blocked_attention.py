"""Attention that holds the weights of one head and a few queries at a time, for CPUs: they stay in the cache.

Otherwise float32 weights [B, H, Q, K] go through memory several times, forwards and backwards, which for long rows takes longer than the
products.  The backward pass makes each block's weights again, from the greatest logit of each query (Dao et al., FlashAttention, 2022).
"""

import jax
import jax.numpy as jnp

BLOCK = 128  # queries at a time: with 2048 keys, a megabyte of weights


def blocked_attention(queries: jax.Array, keys: jax.Array, values: jax.Array, seen: jax.Array | None, mean_of_unseen: bool) -> jax.Array:
  """What queries [B, Q, H, D] hear of keys and values [B, K, H, D], as [B, Q, H, D].

  Args:
    queries, keys, values: logits are products of the first two, divided by nothing.
    seen: [B or 1, 1, Q or 1, K], which keys each query sees; all where None.
    mean_of_unseen: what sees no key hears the mean of all values instead of nothing.
  """
  (rows, length, heads, _), count = queries.shape, keys.shape[1]
  blocks = -(-length // BLOCK)
  fill = lambda x, axis: jnp.pad(x, [(0, blocks * BLOCK - length if n == axis else 0) for n in range(x.ndim)])
  seen = jnp.ones((1, 1, 1, count), bool) if seen is None else seen
  heard = seen.any(-1) | mean_of_unseen
  # Keys come first everywhere: sums over a first axis are vectorised.
  bias = jnp.where(seen, 0.0, -1e10)[:, 0].swapaxes(1, 2)  # [B or 1, K, Q or 1]
  if bias.shape[2] == 1:
    bias, heard = bias[:, None], jnp.broadcast_to(heard, (*heard.shape[:2], length))
  else:
    bias = fill(bias, 2).reshape(len(bias), count, blocks, BLOCK).transpose(0, 2, 1, 3)
  each_head = lambda x: x.swapaxes(1, 2).reshape(rows * heads, x.shape[1], -1)
  own = lambda x: jnp.broadcast_to(x, (rows, *x.shape[1:]))
  heard = own(fill(heard[:, 0], 1).reshape(-1, blocks, BLOCK)).astype(jnp.float32)
  of_blocks = each_head(fill(queries, 1)).reshape(rows * heads, blocks, BLOCK, -1)
  found = _attention(of_blocks, each_head(keys), each_head(values), own(bias), heard)
  return found.reshape(rows, heads, blocks * BLOCK, -1)[:, :, :length].swapaxes(1, 2)


@jax.custom_vjp
def _attention(queries, keys, values, bias, heard):
  """[G, N, BLOCK, D] of queries alike, keys and values [G, K, D], bias [B, N or 1, K, BLOCK or 1], heard [B, N, BLOCK]; G is B times H."""
  return _forwards(queries, keys, values, bias, heard)[0]


def _forwards(queries, keys, values, bias, heard):
  def head(each):
    queries, keys, values, row = each

    def block(each):
      queries, n = each
      logits = _logits(keys, queries, bias, row, n)
      greatest = logits.max(0)
      weights = jnp.exp(logits - greatest)
      share = heard[row, n] / weights.sum(0)
      return (values.T @ weights.astype(values.dtype) * share.astype(values.dtype)).T, greatest, share

    return jax.lax.map(block, (queries, jnp.arange(len(queries))))

  found, greatest, share = jax.lax.map(head, (queries, keys, values, _rows(queries, bias)))
  return found, (queries, keys, values, bias, heard, found, greatest, share)


def _backwards(kept, gradient):
  queries, keys, values, bias, heard, found, greatest, share = kept
  # Of what is heard before it is divided by the weights' sum, and of that sum.
  gradient = gradient * share[..., None].astype(gradient.dtype)
  of_sum = (gradient * found).astype(jnp.float32).sum(-1)

  def head(each):
    queries, keys, values, row, greatest, gradient, of_sum = each

    def block(sums, each):
      queries, n, greatest, gradient, of_sum = each
      weights = jnp.exp(_logits(keys, queries, bias, row, n) - greatest)
      of_logits = (weights * ((values @ gradient.T).astype(jnp.float32) - of_sum)).astype(keys.dtype)
      of_keys, of_values = of_logits @ queries, weights.astype(values.dtype) @ gradient
      return (sums[0] + of_keys, sums[1] + of_values), (keys.T @ of_logits).T

    nothing = jnp.zeros(keys.shape, jnp.float32), jnp.zeros(values.shape, jnp.float32)
    (of_keys, of_values), of_queries = jax.lax.scan(block, nothing, (queries, jnp.arange(len(queries)), greatest, gradient, of_sum))
    return of_queries, of_keys.astype(keys.dtype), of_values.astype(values.dtype)

  of_all = jax.lax.map(head, (queries, keys, values, _rows(queries, bias), greatest, gradient, of_sum))
  return *of_all, jnp.zeros_like(bias), jnp.zeros_like(heard)


_attention.defvjp(_forwards, _backwards)


def _logits(keys, queries, bias, row, n):
  """[K, BLOCK] of one head, of the row and block with these numbers."""
  return (keys @ queries.T).astype(jnp.float32) + bias[row, n if bias.shape[1] > 1 else 0]


def _rows(queries, bias):
  """The row [G] that each head belongs to."""
  return jnp.arange(len(queries)) // (len(queries) // len(bias))
