"""Runs the cells of a sweep: submits jobs, shows how far they are, and ends with them."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mt3_synth.errors import InputError
from mt3_synth.sweeping.cells import Cell
from mt3_synth.sweeping.executors import Executor, Submitted
from mt3_synth.sweeping.job import GRACE, LOCK, PROGRAM, Job, alone_in
from mt3_synth.sweeping.progress import Display
from mt3_synth.sweeping.record import is_done, read_record

_POLL = 0.5  # seconds
_PATIENCE = 5.0  # seconds to wait for the jobs of a sweep that was killed to look at its lock


@dataclass(frozen=True)
class Failure:
  """A cell that could not be finished: which verb failed, what it said last and where it said it."""

  cell: Cell
  verb: str
  error: str
  log: Path

  def __str__(self):
    return f'{self.cell.name}: {self.verb} failed: {self.error} ({self.log})'


def run_cells(
  cells: list[Cell], steps: dict[str, int], executor: Executor, out: Path, at_once: int, program: tuple[str, ...] = PROGRAM
) -> list[Failure]:
  """Trains and evaluates every cell that is not done.

  Args:
    cells: of the sweep.
    steps: of each cell's training, by name.
    executor: where jobs run.
    out: the sweep's folder.
    at_once: how many jobs at a time; 0 is one on this machine, all on a cluster.
    program: what the verbs are arguments of.

  Returns:
    What failed.  Other cells are not touched by it.

  Raises:
    InputError: another sweep runs in the folder, or a job can't be submitted.
    KeyboardInterrupt: it was asked to end, by SIGINT or SIGTERM.  Local jobs have then ended.
  """
  at_once = at_once or (len(cells) if executor.outlives_sweep else 1)
  running: dict[str, tuple[Cell, Submitted]] = {}
  try:
    with _terminated_as_interrupted(), only_sweep_in(out), Display(cells, steps) as display:
      waiting = [cell for cell in cells if not is_done(cell)]
      if len(waiting) < len(cells):
        display.say(f'{len(cells) - len(waiting)} of {len(cells)} cells are done already')
      failures: list[Failure] = []
      while waiting or running:
        while waiting and len(running) < at_once:
          cell = waiting.pop(0)
          job = Job(cell, Path.cwd(), None if executor.outlives_sweep else out / LOCK, executor.environment, program)
          running[cell.name] = cell, executor.find(cell) or executor.submit(job)
        time.sleep(_POLL)
        for cell, submitted in list(running.values()):
          if submitted.done():
            del running[cell.name]
            failure = _failure(cell, submitted)
            failures += [failure] if failure else []
            display.say(str(failure) if failure else _done(cell))
        display.update([cell for cell, _ in running.values()])
      return failures
  except KeyboardInterrupt:  # the sweep's lock is free now: local jobs see it and end
    _take_leave(executor, [submitted for _, submitted in running.values()])
    raise


@contextmanager
def only_sweep_in(out: Path) -> Iterator[None]:
  """Holds the sweep's folder; raises InputError where another sweep does."""
  start = time.monotonic()

  def give_up():
    if time.monotonic() - start > _PATIENCE:
      raise InputError(f'{out}: another sweep runs in this folder; wait for it, or give another --out')

  with alone_in(out, give_up):
    yield


def _failure(cell: Cell, submitted: Submitted) -> Failure | None:
  """What a job that has ended failed with."""
  record = read_record(cell)
  if record is None or record.status == 'running':  # it was killed, or failed before its first verb
    return Failure(cell, 'job', 'ended without a word', submitted.paths.stderr)
  return Failure(cell, record.verb, record.error, cell.folder / f'{record.verb}.log') if record.status == 'failed' else None


def _done(cell: Cell) -> str:
  record = read_record(cell)
  times = ', '.join(f'{verb} {seconds / 60:.1f} min' for verb, seconds in record.seconds.items()) if record else ''
  return f'{cell.name}: done ({times})'


def _take_leave(executor: Executor, jobs: list[Submitted]) -> None:
  if executor.outlives_sweep:
    ids = ' '.join(job.job_id for job in jobs)
    print(f'\njobs {ids} go on in Slurm: the same command waits for them, scancel {ids} ends them', file=sys.stderr)
    return
  print('\nstopping: what is trained is kept, and the same command goes on', file=sys.stderr)
  end = time.monotonic() + 2 * GRACE
  while time.monotonic() < end and not all(job.done() for job in jobs):
    time.sleep(_POLL)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
  """SIGTERM is heard as Ctrl-C."""

  def interrupt(*_):
    raise KeyboardInterrupt

  before = signal.signal(signal.SIGTERM, interrupt)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)
