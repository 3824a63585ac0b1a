"""Updates that would ruin a run: gradients that are no numbers, or far larger than they were."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mt3_synth.errors import InputError

SETTLED = 100  # updates before a norm can be called a spike
MEMORY = 0.99  # of the mean norm, a step
MOST_SKIPPED = 100  # in a row: after that, a run is lost


class GuardState(NamedTuple):
  skipped: jax.Array  # updates left out so far
  taken: jax.Array  # updates made
  mean_norm: jax.Array  # of their gradients
  inner: Any


class Diverged(InputError):
  """Training has nothing to go on with."""


def guarded(tx: optax.GradientTransformation, spike: float = 0.0) -> optax.GradientTransformation:
  """`tx`, whose updates are left out, and its state kept, where the gradient or the update is not finite, or the gradient is a spike.

  Args:
    tx: any.
    spike: a gradient norm above so many times its running mean is one; 0 knows none.
  """

  def init(params):
    return GuardState(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32), jnp.zeros(()), tx.init(params))

  def update(updates, state, params=None):
    norm = optax.tree.norm(updates)
    updates, inner = tx.update(updates, state.inner, params)
    good = jnp.isfinite(norm) & jnp.isfinite(optax.tree.norm(updates))
    if spike:
      good &= (state.taken < SETTLED) | (norm <= spike * state.mean_norm)
    weight = jnp.maximum(1 - MEMORY, 1 / (state.taken + 1))
    mean_norm = jnp.where(good, (1 - weight) * state.mean_norm + weight * norm, state.mean_norm)
    updates = jax.tree.map(lambda x: jnp.where(good, x, jnp.zeros_like(x)), updates)
    inner = jax.tree.map(lambda new, old: jnp.where(good, new, old), inner, state.inner)
    return updates, GuardState(state.skipped + ~good, state.taken + good, mean_norm, inner)

  return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def skipped(before: Any, after: Any) -> jax.Array:
  """How many updates an optimiser left out between two of its states; none if it has no guard."""
  count = lambda state: optax.tree.get(state, 'skipped', jnp.zeros((), jnp.int32))
  return count(after) - count(before)


class Guard:
  """Reads the metrics of steps, and ends a run that is lost."""

  def __init__(self, on_fault: Literal['stop', 'skip'], checkpoints: Any):
    """on_fault: `stop` at the first fault, or `skip` up to MOST_SKIPPED in a row.  checkpoints: whose `newest` is named."""
    self.on_fault, self.checkpoints, self.in_a_row = on_fault, checkpoints, 0

  def check(self, step: int, metrics: list[dict[str, Any]]) -> None:
    """Looks at the metrics, on the host, of the steps up to `step`, each given once.

    Raises:
      Diverged: the run is lost, or may not skip.
    """
    for at, each in enumerate(metrics, step - len(metrics) + 1):
      bad = each.get('skipped_updates', 0) > 0 or not np.isfinite(each['loss'])
      self.in_a_row = self.in_a_row + 1 if bad else 0
      if bad and (self.on_fault == 'stop' or self.in_a_row > MOST_SKIPPED):
        self._end(at, each)

  def _end(self, step: int, metrics: dict[str, Any]) -> None:
    good = self.checkpoints.newest()
    kept = f'the last good checkpoint is {good}' if good else 'there is no checkpoint from before it'
    skip = ", or leave such updates out by TrainConfig.on_fault = 'skip'" if self.on_fault == 'stop' else ''
    raise Diverged(
      f'step {step}: loss {metrics["loss"]:.4g}, gradient norm {metrics.get("grad_norm", np.nan):.4g}; {kept}; '
      f'lower the learning rate or set OptimizerConfig.clip_norm{skip}'
    )
