"""Jobs under a clock: programs compiled side by side first, then measured one by one, the important ones before the others."""

import json
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

COMPILE_SHARE = 0.6  # of the time, after which what is compiled is measured
LAST_SECONDS = 5.0  # no measurement starts in these


@dataclass(frozen=True)
class Job:
  """Something to measure.

  Attributes:
    name: `section/case`, as in the report.
    prepare: traces and compiles, in a thread beside others.
    measure: of what `prepare` gave -> figures, alone on the device.
  """

  name: str
  prepare: Callable[[], Any]
  measure: Callable[[Any], dict]


class Report:
  """Figures by name, written to a file as they come."""

  def __init__(self, path: Path, about: dict, seconds: float):
    self.path, self.end, self.begin = path, time.monotonic() + seconds, time.monotonic()
    self.seconds = seconds
    self.figures: dict[str, Any] = about | {'seconds_asked': seconds, 'results': {}}

  @property
  def left(self) -> float:
    return self.end - time.monotonic()

  def add(self, name: str, figures: dict) -> None:
    self.figures['results'][name] = figures
    self.figures['seconds_taken'] = time.monotonic() - self.begin
    part = self.path.with_suffix('.part')
    part.write_text(json.dumps(self.figures, indent=1) + '\n')
    part.replace(self.path)
    print(f'[{self.seconds - self.left:5.1f} s] {name}: {brief(figures)}', flush=True)

  def add_failure(self, name: str, error: BaseException) -> None:
    traceback.print_exception(error, limit=-3, file=sys.stderr)
    self.add(name, {'error': ''.join(traceback.format_exception_only(error)).strip()[:500]})


class OutOfTime(Exception):
  pass


def run(jobs: list[Job], report: Report, threads: int) -> None:
  """Prepares all, then measures what is ready, in order; what the time does not suffice for is reported as skipped.  Never raises."""

  def prepare(job):
    if report.left < (1 - COMPILE_SHARE) * report.seconds:
      raise OutOfTime('no time left to compile')
    start = time.monotonic()
    ready = job.prepare()
    return ready, time.monotonic() - start

  pool = ThreadPoolExecutor(threads)
  waiting: dict[Job, Future] = {job: pool.submit(prepare, job) for job in jobs}
  wait(waiting.values(), timeout=max(report.left - (1 - COMPILE_SHARE) * report.seconds, 0))
  report.add('jobs/compiled', {'jobs': len(jobs), 'ready': sum(future.done() for future in waiting.values())})
  while waiting:
    done = [job for job, future in waiting.items() if future.done()]
    if report.left < LAST_SECONDS:
      for job in waiting:
        report.add(job.name, {'skipped': 'no time left'})
      break
    if not done:
      wait(waiting.values(), timeout=max(report.left - LAST_SECONDS, 0), return_when=FIRST_COMPLETED)
      continue
    try:
      ready, seconds = waiting.pop(done[0]).result()
      compiling = sum(future.running() for future in waiting.values())
      figures = done[0].measure(ready)
      report.add(done[0].name, figures | {'prepare_seconds': seconds} | ({'others_compiling': compiling} if compiling else {}))
      del ready
    except OutOfTime as e:
      report.add(done[0].name, {'skipped': str(e)})
    except Exception as e:  # one that fails must not lose the others' figures
      report.add_failure(done[0].name, e)
  pool.shutdown(wait=False, cancel_futures=True)


def seconds_of(call: Callable[[], Any], budget: float = 2.0, least: int = 3, most: int = 50) -> list[float]:
  """Seconds of single calls, ascending, as many as the budget allows; one before them is not counted."""
  jax.block_until_ready(call())
  taken: list[float] = []
  while len(taken) < least or (sum(taken) < budget and len(taken) < most):
    start = time.perf_counter()
    jax.block_until_ready(call())
    taken.append(time.perf_counter() - start)
  return sorted(taken)


def brief(figures: dict) -> str:
  """A line for people."""
  short = lambda x: f'{x:.4g}' if isinstance(x, float) else str(x)
  return ', '.join(f'{name} {short(value)}' for name, value in figures.items() if not isinstance(value, (dict, list)))
