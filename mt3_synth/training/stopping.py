"""Being asked to stop: by the user, or by a cluster that needs the machine."""

import signal
import sys
import threading

import jax
from jax.experimental import multihost_utils

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
  """While in a `with` statement, the first SIGTERM or SIGINT is noted, so that the loop can save; the second one stops at once.

  On several hosts JAX's own service notes SIGTERM, and makes all hosts agree on the step they stop after.
  """

  def __init__(self):
    self.asked = False
    self._before = {}

  def __enter__(self):
    if jax.process_count() == 1 and threading.current_thread() is threading.main_thread():  # nobody else may set handlers
      self._before = {each: signal.signal(each, self._note) for each in SIGNALS}
    return self

  def __exit__(self, *_):
    for each, handler in self._before.items():
      signal.signal(each, handler)

  def after(self, step: int) -> bool:
    """Whether to stop, `step` being the last one done.  All hosts ask at each step, and get one answer."""
    if jax.process_count() > 1:
      self.asked |= multihost_utils.reached_preemption_sync_point(step)
    return self.asked

  def _note(self, number, frame):
    del frame
    self.asked = True
    for each, handler in self._before.items():
      signal.signal(each, handler)
    print(f'\n{signal.Signals(number).name}: saving after this step; once more stops at once', file=sys.stderr, flush=True)
