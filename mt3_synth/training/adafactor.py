"""Adafactor (Shazeer, Stern 2018, arXiv 1804.04235) as T5X defines it, with what the axes of a parameter say about how it is factored.

`optax.adafactor` computes the same for one matrix.  It differs where several matrices are one array (layers stacked along an axis
`layers`): there T5X factors, scales and clips each on its own, optax the whole; and in a parameter of more than two axes, of which optax
takes the two largest, T5X the groups that its axes' names form.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

# T5X's standard logical factor rules: which side of a matrix an axis is on.  `batch` axes hold several matrices; others are not factored.
SIDES = {
  'vocab': 'column',
  'embed': 'row',
  'mlp': 'column',
  'heads': 'column',
  'kv': 'column',
  'joined_kv': 'column',
  'q_wi_fused': 'column',
  'o_wo_fused': 'column',
  'multiquery_heads': 'column',
  'kv_fused': 'column',
  'mlp_activations': 'column',
  'layers': 'batch',
  'stack': 'batch',
}
SMALLEST_FACTORED = 128  # a matrix of which one side is smaller keeps all its second moments
DECAY = 0.8  # the average of second moments has the weight 1 - step^-0.8 for what was before
CLIPPING = 1.0  # the root mean square of an update is at most this, before the learning rate
SMALLEST_SQUARE = 1e-30
SMALLEST_SCALE = 1e-3  # what the root mean square of a parameter counts at least


@struct.dataclass
class Moments:
  """Second moments of one parameter: `row` and `column`, each with length 1 on the axes it is averaged over, or `full`, of each element."""

  row: Any = None
  column: Any = None
  full: Any = None
  together: tuple[int, ...] = struct.field(pytree_node=False, default=())  # the axes of one matrix: all but those of `batch`


class AdafactorState(NamedTuple):
  step: jax.Array
  moments: Any


def adafactor(learning_rate: optax.Schedule) -> optax.GradientTransformation:
  """Steps of the learning rate times the parameter's own root mean square, as T5X takes them by default (no momentum, no weight decay).

  `init` takes parameters in Flax's boxes or without; boxes name the axes, and the state's arrays come in boxes that name theirs.
  """

  def init(params):
    moments = jax.tree.map(_no_moments, params, is_leaf=lambda x: isinstance(x, nn.meta.AxisMetadata))
    return AdafactorState(jnp.zeros((), jnp.int32), moments)

  def update(updates, state, params):
    decay = 1 - (state.step + 1.0) ** -DECAY
    rate = jnp.asarray(learning_rate(state.step))
    moments = jax.tree.map(lambda grad, old: _averaged(grad, old, decay), updates, state.moments)
    updates = jax.tree.map(lambda grad, new, param: -rate * _step(grad, new, param), updates, moments, params)
    return updates, AdafactorState(state.step + 1, moments)

  return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def factoring(shape: tuple[int, ...], names: tuple[str | None, ...] | None) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
  """Which axes of a parameter are rows, which columns (none of either where it is not factored), and which form one matrix.

  T5X lets the names speak only for parameters of more than two axes or with `batch` axes; of matrices the longer side is the columns.
  """
  sides = tuple(SIDES.get(name) for name in names) if names else (None,) * len(shape)  # pyright: ignore[reportArgumentType]
  together = tuple(axis for axis, side in enumerate(sides) if side != 'batch')
  if len(shape) > 2 or len(together) < len(shape):
    rows, columns = (tuple(axis for axis, each in enumerate(sides) if each == side) for side in ('row', 'column'))
    if rows and columns and len(rows) + len(columns) < len(together):
      raise ValueError(f'axes {names}: some are of a matrix, and some have no rule in SIDES')
    return (rows, columns, together) if rows and columns else ((), (), together)
  if len(shape) < 2 or min(shape) < SMALLEST_FACTORED:
    return (), (), together
  shorter, longer = np.argsort(shape, kind='stable').tolist()
  return (shorter,), (longer,), together


def _no_moments(param: Any) -> Moments:
  names, value = (param.names, param.value) if isinstance(param, nn.Partitioned) else (None, param)
  rows, columns, together = factoring(value.shape, names)

  def zeros(averaged):
    shape = tuple(1 if axis in averaged else size for axis, size in enumerate(value.shape))
    array = jnp.zeros(shape, jnp.float32)
    if not names:
      return array
    return param.replace(value=array, names=tuple(None if axis in averaged else name for axis, name in enumerate(names)))

  if not rows:
    return Moments(full=zeros(()), together=together)
  return Moments(row=zeros(columns), column=zeros(rows), together=together)


def _averaged(grad, old: Any, decay) -> Moments:
  square = jnp.square(grad.astype(jnp.float32)) + SMALLEST_SQUARE
  mix = lambda before, now: decay * before + (1 - decay) * now
  if old.full is not None:
    return old.replace(full=mix(old.full, square))
  mean = lambda like: jnp.mean(square, [axis for axis in old.together if like.shape[axis] < square.shape[axis]], keepdims=True)
  return old.replace(row=mix(old.row, mean(old.row)), column=mix(old.column, mean(old.column)))


def _step(grad, moments: Moments, param):
  """The update of learning rate 1, to be subtracted."""
  root_mean_square = lambda x: jnp.sqrt(jnp.mean(jnp.square(x), moments.together, keepdims=True))
  if moments.full is not None:
    step = grad * moments.full**-0.5
  else:
    row_mean = jnp.mean(moments.row, moments.together, keepdims=True)
    step = grad * (moments.row / row_mean) ** -0.5 * moments.column**-0.5
  step = step / jnp.maximum(1.0, root_mean_square(step) / CLIPPING)
  return step * jnp.maximum(root_mean_square(param), SMALLEST_SCALE)
