"""What is measured between two lines of the log."""

import json
import time
from typing import Any

import jax.numpy as jnp
import numpy as np

from mt3_synth.diffusion.loss import Binned
from mt3_synth.training.metrics import Window, mean


def bins(totals, counts) -> Binned:
  return Binned(jnp.float32(totals), jnp.float32(counts))


STEPS: list[dict[str, Any]] = [
  {'loss': np.float32(1), 'skipped': np.int32(1), 'bins': bins([2, 0, 3], [2, 0, 1])},
  {'loss': np.float32(np.nan), 'skipped': np.int32(0), 'bins': bins([4, 0, 0], [1, 0, 0])},
  {'loss': np.float32(4), 'skipped': np.int32(2), 'bins': bins([0, 0, 0], [0, 0, 0])},
]


def test_means_are_of_what_is_finite_counts_are_added_and_empty_bins_left_out():
  assert mean(STEPS) == {'loss': 2.5, 'skipped': 3, 'bins/0': 2.0, 'bins/0.67': 3.0}
  assert mean([{'loss': np.float32(np.nan)}]) == {}
  assert mean([]) == {}


def test_a_window_that_was_saved_goes_on():
  whole, first = Window(), Window()
  for step in STEPS:
    whole.add({name: jnp.asarray(x) if not isinstance(x, Binned) else x for name, x in step.items()})
  for step in STEPS[:2]:
    first.add(step)
  assert len(first.unread()) == 2
  assert first.unread() == []
  second = Window(json.loads(json.dumps(first.to_json())))
  second.add(STEPS[2])
  assert len(second.unread()) == 1
  whole.unread()
  expected, found = whole.close(2), second.close(2)
  assert expected['examples_per_second'] > 0
  same = [name for name in expected if 'second' not in name]
  assert [found[name] for name in same] == [expected[name] for name in same]
  assert whole.to_json() == []


def test_waiting_for_data_counts_when_the_device_has_nothing_else_to_do():
  window = Window()
  for _ in range(2):
    with window.data():
      pass
    window.add({'loss': jnp.zeros(())})
  window.unread()
  with window.aside():
    time.sleep(0.2)
  means = window.close(4)
  assert 1 / means['steps_per_second'] < 0.1
  assert 0 < means['seconds_data'] < means['seconds_data'] + means['seconds_compute']
  np.testing.assert_allclose(means['seconds_data'] + means['seconds_compute'], 1 / means['steps_per_second'])
