"""How much of a device's arithmetic a run uses: the operations of a step's matrix products and convolutions against what its maker says."""

import math
from typing import Any

import jax

from mt3_synth.training.learner import Learner

# Operations a second of dense bfloat16 products, by what the device's name holds; the first that fits counts.
PEAKS = {
  'H100': 989e12,
  'H200': 989e12,
  'A100': 312e12,
  'L4': 121e12,
  'TPU v6': 918e12,
  'TPU v5p': 459e12,
  'TPU v5': 197e12,
  'TPU v4': 275e12,
}


class Utilisation:
  """The share of all devices' peak that a run's steps reach; operations are counted once for batches of the same shapes."""

  def __init__(self):
    kind = jax.devices()[0].device_kind
    self.peak = next((peak for name, peak in PEAKS.items() if name in kind), None)
    self.steps = {}

  def of(self, learner: Learner, state: Any, batch: Any, key: jax.Array, steps_per_second: float) -> dict[str, float]:
    """`utilisation` by steps like the one of `batch`, or nothing where the peak is not known.  Padding counts, and what is done again."""
    if self.peak is None:
      return {}
    shapes = tuple(x.shape for x in jax.tree.leaves(batch))
    if shapes not in self.steps:
      self.steps[shapes] = operations(jax.make_jaxpr(learner.train_step)(*jax.tree.map(_shape, (state, batch, key))).jaxpr)
    return {'utilisation': self.steps[shapes] * steps_per_second / (self.peak * jax.device_count())}


def operations(jaxpr: Any) -> float:
  """Those of the products in a program, two for a multiplication and its addition; loops count each turn, of branches the dearest."""
  total = 0.0
  for equation in jaxpr.eqns:
    name, inner = equation.primitive.name, [operations(each) for each in _programs(equation.params)]
    if name == 'dot_general':
      contracted = math.prod(equation.invars[0].aval.shape[axis] for axis in equation.params['dimension_numbers'][0][0])
      total += 2 * math.prod(equation.outvars[0].aval.shape) * contracted
    elif name == 'conv_general_dilated':
      kernel, spec = equation.invars[1].aval.shape, equation.params['dimension_numbers'].rhs_spec
      total += 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(kernel) / kernel[spec[0]]
    elif name == 'cond':
      total += max(inner)
    elif name == 'scan':
      total += equation.params['length'] * sum(inner)
    else:
      total += sum(inner)
  return total


def _programs(params: dict[str, Any]) -> list[Any]:
  found = [each for value in params.values() for each in (value if isinstance(value, (tuple, list)) else [value])]
  return [getattr(each, 'jaxpr', each) for each in found if hasattr(each, 'eqns') or hasattr(each, 'jaxpr')]


def _shape(x: Any) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(x.shape, x.dtype)
