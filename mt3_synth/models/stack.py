"""Layers one after another: as they stand, computed again in the backward pass, or as a loop that is compiled once.

Neither needs other parameters: a checkpoint holds each layer under its own name, and a loop's are stacked within the step, which costs a
copy of them (and of their gradients) and, where the layers have dropout, other draws.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from mt3_synth.config import NetworkConfig

# Places an array with axes of these names on the devices that share it; `training.partitioning` sets it while a step is traced.
PLACE: ContextVar[Callable[[jax.Array, tuple[str, ...]], jax.Array]] = ContextVar('place', default=lambda x, names: x)

KEPT = {  # what is kept of each layer for the backward pass, beside its input
  'minimal': jax.checkpoint_policies.checkpoint_dots_with_no_batch_dims,
  'full': jax.checkpoint_policies.nothing_saveable,
}


def through(layers: Sequence[nn.Module], x: jax.Array, own: Sequence[Any], call: Callable[[Any, jax.Array, Any], jax.Array]) -> jax.Array:
  """x [B, K, E] through all layers.

  Args:
    layers: alike, with the same `config`, which says how (`remat`, `scan_layers`).
    x: what the first is given.
    own: what else each is given, a tree of arrays a layer.
    call: (layer, x, its own) -> x.
  """
  config: NetworkConfig = layers[0].config  # pyright: ignore[reportAttributeAccessIssue]
  placed = lambda layer, x, own: call(layer, PLACE.get()(x, ('batch', 'length', 'embed')), own)
  if layers[0].is_initializing() or not is_staged(config):
    for layer, each in zip(layers, own, strict=True):
      x = placed(layer, x, each)
    return x

  alone = layers[0].clone(parent=None, name=None)

  def one(x, layer) -> Any:
    params, own, rngs = layer
    return alone.apply({'params': params}, x, own, method=placed, rngs=rngs)

  if config.remat != 'none':
    one = jax.checkpoint(one, policy=KEPT[config.remat], prevent_cse=not config.scan_layers)  # a loop is never merged with its repetition
  params = [layer.variables['params'] for layer in layers]
  if not config.scan_layers:
    for layer in zip(params, own, (layer.scope.rngs for layer in layers), strict=True):  # pyright: ignore[reportOptionalMemberAccess]
      x = one(x, layer)
    return x
  rngs = [{name: layer.make_rng(name) for name in layer.scope.rngs} for layer in layers]  # pyright: ignore[reportOptionalMemberAccess]
  stacked = jax.tree.map(lambda *each: jnp.stack(each), *zip(params, own, rngs, strict=True))
  return jax.lax.scan(lambda x, layer: (one(x, layer), None), x, stacked)[0]


def is_staged(config: NetworkConfig) -> bool:
  """Whether layers are more than a list to walk: what a layer alone uses is then best made within it."""
  return config.remat != 'none' or config.scan_layers
