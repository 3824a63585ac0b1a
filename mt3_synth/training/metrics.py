"""What a loop measures between two lines of its log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from mt3_synth.diffusion.loss import Binned


class Window:
  """Metrics of the steps since the last line, and where their time went.

  Metrics stay on the device until they are read: reading them each step would make the host wait.
  """

  def __init__(self, saved: list[dict[str, Any]] | None = None):
    """saved: what `read` gave when the run was saved; so an interrupted run's lines are those of one that was not."""
    self._read, self._waiting = [_from_json(step) for step in saved or []], []
    self.restart()

  def restart(self) -> None:
    self._start, self._waited, self._timed = time.monotonic(), 0.0, 0

  def add(self, metrics: dict[str, Any]) -> None:
    self._waiting.append(metrics)
    self._timed += 1

  @contextmanager
  def data(self) -> Iterator[None]:
    """Around waiting for a batch.  It counts if the device was done with the step before: else nothing was lost."""
    start = time.monotonic()
    yield
    if not self._waiting or self._waiting[-1]['loss'].is_ready():
      self._waited += time.monotonic() - start

  @contextmanager
  def aside(self) -> Iterator[None]:
    """Around what is no part of a step: its time does not count."""
    start = time.monotonic()
    yield
    self._start += time.monotonic() - start

  def unread(self) -> list[dict[str, Any]]:
    """Metrics of the steps that nobody has read yet, on the host."""
    new, self._waiting = jax.device_get(self._waiting), []
    self._read += new
    return new

  def to_json(self) -> list[dict[str, Any]]:
    """All that was read, for a checkpoint."""
    return [_to_json(step) for step in self._read]

  def close(self, batch_size: int) -> dict[str, float]:
    """Means of the metrics that were read, and speeds; begins the next window."""
    means, seconds = mean(self._read), time.monotonic() - self._start
    if self._timed:
      means |= {'steps_per_second': self._timed / seconds, 'examples_per_second': self._timed * batch_size / seconds}
      means |= {'seconds_data': self._waited / self._timed, 'seconds_compute': (seconds - self._waited) / self._timed}  # of a step
    self._read = []
    self.restart()
    return means


def mean(steps: list[dict[str, Any]]) -> dict[str, float]:
  """Of each metric the mean of what is finite; whole numbers are counted together; bins become `name/lower_edge`, if not empty."""
  means = {}
  for name in dict.fromkeys(name for step in steps for name in step):
    values = [step[name] for step in steps if name in step]
    if isinstance(values[0], Binned):
      total, count = (np.nansum([np.asarray(getattr(each, part), np.float64) for each in values], axis=0) for part in ('totals', 'counts'))
      means |= {f'{name}/{n / len(total):.2g}': float(total[n] / count[n]) for n in np.flatnonzero(count)}
    elif np.issubdtype(np.asarray(values[0]).dtype, np.integer):
      means[name] = int(sum(values))
    else:
      finite = [value for value in map(float, values) if np.isfinite(value)]
      means |= {name: float(np.mean(finite))} if finite else {}
  return means


def _to_json(step: dict[str, Any]) -> dict[str, Any]:
  return {name: _plain(value) for name, value in step.items()}


def _plain(value: Any) -> Any:
  return {part: np.asarray(x).tolist() for part, x in value._asdict().items()} if isinstance(value, Binned) else np.asarray(value).tolist()


def _from_json(step: dict[str, Any]) -> dict[str, Any]:
  return {name: Binned(**value) if isinstance(value, dict) else value for name, value in step.items()}
