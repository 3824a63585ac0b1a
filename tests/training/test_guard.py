"""Updates that would ruin a run are left out, and the run ends or goes on."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_array_equal

from mt3_synth.training.guard import MOST_SKIPPED, SETTLED, Diverged, Guard, guarded, skipped

PARAMS = {'a': jnp.ones(3), 'b': jnp.ones(())}
GOOD = {'a': jnp.full(3, 0.5), 'b': jnp.asarray(0.5)}


def walk(tx, gradients) -> Any:
  """The last update, and the states before and after it."""
  state = before = tx.init(PARAMS)
  updates: Any = None
  for grads in gradients:
    before = state
    updates, state = tx.update(grads, state, PARAMS)
  return updates, before, state


@pytest.mark.parametrize('bad', [np.nan, np.inf, 1e30])
def test_an_update_that_is_no_number_is_left_out(bad):
  tx = guarded(optax.adam(0.1))
  updates, before, after = walk(tx, [GOOD, GOOD | {'b': jnp.asarray(bad)}])
  assert_array_equal(updates['a'], 0)
  assert int(skipped(before, after)) == 1
  assert_array_equal(after.inner[0].mu['a'], before.inner[0].mu['a'])
  assert int(after.taken) == 1


def test_without_faults_it_is_as_if_nobody_guarded():
  plain, under_guard = walk(optax.adam(0.1), [GOOD] * 3), walk(guarded(optax.adam(0.1), 2.0), [GOOD] * 3)
  assert_array_equal(plain[0]['a'], under_guard[0]['a'])
  assert int(skipped(*under_guard[1:])) == int(skipped(*plain[1:])) == 0


def test_a_spike_is_a_gradient_far_above_the_mean_once_there_is_one():
  spike = {name: 10 * value for name, value in GOOD.items()}
  tx = guarded(optax.sgd(0.1), spike=5.0)
  assert int(walk(tx, [GOOD, spike])[2].skipped) == 0
  updates, _, after = walk(tx, [GOOD] * SETTLED + [spike])
  assert int(after.skipped) == 1
  assert_array_equal(updates['a'], 0)
  assert int(walk(guarded(optax.sgd(0.1)), [GOOD] * SETTLED + [spike])[2].skipped) == 0


def metrics(loss=1.0, skipped_updates=0):
  return {'loss': loss, 'grad_norm': 2.0, 'skipped_updates': skipped_updates}


NONE = SimpleNamespace(newest=lambda: None)


@pytest.mark.parametrize('bad', [metrics(np.nan), metrics(np.inf), metrics(skipped_updates=1)])
def test_a_run_stops_at_a_fault_and_names_the_last_good_checkpoint(bad):
  checkpoints = SimpleNamespace(newest=lambda: Path('runs/a/checkpoints/100'))
  Guard('stop', checkpoints).check(3, [metrics()] * 3)
  with pytest.raises(Diverged, match='^step 152: loss .*gradient norm 2; the last good checkpoint is runs/a/checkpoints/100; lower the'):
    Guard('stop', checkpoints).check(153, [metrics(), bad, metrics()])
  with pytest.raises(Diverged, match='there is no checkpoint from before it'):
    Guard('stop', NONE).check(1, [bad])


def test_or_goes_on_until_there_are_too_many_in_a_row():
  guard = Guard('skip', NONE)
  bad = metrics(np.nan, 1)
  guard.check(MOST_SKIPPED, [bad] * MOST_SKIPPED)
  guard.check(MOST_SKIPPED + 1, [metrics()])
  guard.check(2 * MOST_SKIPPED + 1, [bad] * MOST_SKIPPED)
  with pytest.raises(Diverged):
    guard.check(2 * MOST_SKIPPED + 2, [bad])
