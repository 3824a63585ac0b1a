"""One cell's job: its verbs, one after the other, in processes that never outlive the sweep.

A job ends when its sweep has ended, in whatever way: a running sweep holds a lock, its jobs look whether it is held.  What runs is then
asked to end, which saves what it has.  Each verb holds the lock of its cell's folder, so no two ever train in one folder.
"""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mt3_synth.sweeping.cells import TRAIN, Cell
from mt3_synth.sweeping.record import Record, commands_of, read_record, write_record

LOCK = '.lock'  # a file that who works in a folder holds
PROGRAM = (sys.executable, '-m', 'mt3_synth.cli')
GRACE = 60.0  # seconds in which a verb that is asked to end may finish the steps that are on the device, and save
_LOOK = 0.5  # seconds between two looks at the sweep's lock


class SweepEnded(Exception):
  """Nobody waits for this job any more."""


@dataclass(frozen=True)
class Job:
  """What runs in a process of its own, on this machine or on a cluster's; called again, it goes on.

  Attributes:
    cell: which.
    cwd: where its commands are given; relative paths in them are looked up there.
    lock: of the sweep; None for a job that goes on without it.
    environment: variables to set, or to remove where None.
    program: what the verbs are arguments of.
  """

  cell: Cell
  cwd: Path
  lock: Path | None = None
  environment: Mapping[str, str | None] = field(default_factory=dict)
  program: tuple[str, ...] = PROGRAM

  def __call__(self) -> None:
    with alone_in(self.cell.folder, self._stop_if_ended) as held:
      record, failure = begin(self.cell), None
      for verb, words in self.cell.commands.items():
        start, log = time.monotonic(), self.cell.folder / f'{verb}.log'
        status = self._run(words, log, held)
        seconds = record.seconds.get(verb, 0.0) + time.monotonic() - start
        record = replace(record, verb=verb, seconds=record.seconds | {verb: round(seconds, 1)})
        write_record(self.cell, record)
        if status:
          failure = failure or replace(record, status='failed', error=_explain(status, log))
          if verb == TRAIN:
            break  # the other verbs can do without one another
      last = replace(failure, seconds=record.seconds) if failure else replace(record, status='done')
      write_record(self.cell, last)

  def checkpoint(self):
    """What submitit queues again where a cluster's time is over or the job is displaced."""
    from submitit.helpers import DelayedSubmission

    return DelayedSubmission(self)

  def _run(self, words: list[str], log: Path, held: int) -> int:
    changed = {**os.environ, 'TQDM_MININTERVAL': '5', **self.environment}
    environment = {name: value for name, value in changed.items() if value is not None}
    with log.open('ab') as output:
      child = subprocess.Popen(
        [*self.program, *words],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=self.cwd,
        env=environment,
        pass_fds=(held,),  # the folder is taken until this process has ended too
        start_new_session=True,  # a Ctrl-C is the sweep's to hear
        preexec_fn=_as_child,
      )
    try:
      while True:
        try:
          return child.wait(_LOOK)
        except subprocess.TimeoutExpired:
          self._stop_if_ended()
    finally:
      end(child)

  def _stop_if_ended(self) -> None:
    if self.lock is not None and not is_held(self.lock):
      raise SweepEnded(f'the sweep has ended; {self.cell.name} stops, and goes on with the same command')


def begin(cell: Cell) -> Record:
  """The record of a cell that goes on; what evaluations after other commands left is removed."""
  before, commands = read_record(cell), commands_of(cell)
  if before and before.commands != commands:
    for folder in cell.evaluations.values():
      shutil.rmtree(folder, ignore_errors=True)
  record = Record(commands, seconds=before.seconds if before else {})
  write_record(cell, record)
  return record


def end(process: subprocess.Popen) -> None:
  """Asks a process to end, and ends it if it does not."""
  if process.poll() is None:
    process.terminate()
    try:
      process.wait(GRACE)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()


@contextmanager
def alone_in(folder: Path, meanwhile=lambda: None) -> Iterator[int]:
  """Waits until nobody else works in a folder, calling `meanwhile`; then holds it.  The file descriptor that holds it."""
  folder.mkdir(parents=True, exist_ok=True)
  descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
  try:
    while not _try_lock(descriptor, fcntl.LOCK_EX):
      meanwhile()
      time.sleep(_LOOK)
    yield descriptor
  finally:
    os.close(descriptor)


def is_held(lock: Path) -> bool:
  """Whether a process holds the file by `alone_in`."""
  try:
    descriptor = os.open(lock, os.O_RDWR)
  except OSError:
    return False
  try:
    return not _try_lock(descriptor, fcntl.LOCK_SH)
  finally:
    os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
  try:
    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  return True


def _as_child() -> None:
  """Before a verb begins.  Linux ends it where the job is killed; elsewhere only a killed job can leave one behind."""
  signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # Slurm's word that time is nearly over: the job's to hear, which then asks the verb to end
  if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _explain(status: int, log: Path) -> str:
  """Why a verb failed: the signal that ended it, or the last line it wrote."""
  if status < 0:
    name = signal.Signals(-status).name
    return f'ended by {name}' + (', most often for lack of memory' if -status == signal.SIGKILL else '')
  lines = [line for line in log.read_text(errors='replace').replace('\r', '\n').splitlines() if line.strip()]
  return lines[-1].strip()[:300] if lines else f'ended with status {status} and no word'
