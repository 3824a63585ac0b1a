"""Where jobs run: on this machine, or in Slurm; both by submitit."""

import getpass
import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mt3_synth.errors import InputError
from mt3_synth.sweeping.cells import Cell
from mt3_synth.sweeping.job import Job

EXECUTORS = ('local', 'slurm')
_LONG = {'local': 60 * 24 * 30, 'slurm': 60 * 24}  # minutes; submitit's own limit is 5
_GPUS = 'CUDA_VISIBLE_DEVICES'
_ASK_EVERY = 10.0  # seconds
_ID = 'slurm_job'  # a file in the cell's folder


class Submitted(Protocol):
  """What submitit gives for a job."""

  @property
  def job_id(self) -> str: ...

  @property
  def paths(self) -> Any: ...

  def done(self) -> bool: ...


class Queue:
  """The user's jobs that wait or run in Slurm, asked for at most every ten seconds.

  submitit itself asks the accounting database, which not every cluster has, and that every ten minutes.
  """

  def __init__(self):
    self._jobs, self._asked = frozenset(), -math.inf

  def forget(self) -> None:
    self._asked = -math.inf

  def holds(self, job_id: str) -> bool:
    if time.monotonic() - self._asked > _ASK_EVERY:
      command = ['squeue', '--noheader', '--user', getpass.getuser(), '--format', '%i']
      asked = subprocess.run(command, capture_output=True, text=True, check=False)
      if asked.returncode:
        return True  # the controller is busy: nothing is known
      self._jobs, self._asked = frozenset(asked.stdout.split()), time.monotonic()
    return job_id in self._jobs


@dataclass(frozen=True)
class SlurmJob:
  """A job that is done when Slurm has it no more: `submitted` with another `done`."""

  submitted: Submitted
  queue: Queue

  @property
  def job_id(self) -> str:
    return self.submitted.job_id

  @property
  def paths(self) -> Any:
    return self.submitted.paths

  def done(self) -> bool:
    return self.paths.result_pickle.exists() or not self.queue.holds(self.job_id)


class Executor:
  """Submits jobs.

  Args:
    kind: one of `EXECUTORS`.
    folder: for submitit's own files and what jobs print.
    resources: of each job, as submitit's `update_parameters` takes them.

  Raises:
    InputError: submitit or Slurm is missing, or a resource is unknown.
  """

  def __init__(self, kind: str, folder: Path, resources: Mapping[str, Any]):
    try:
      import submitit
    except ImportError as e:
      raise InputError(f"sweeps need submitit ({e}): pip install 'mt3_synth[sweep]'") from None
    for name in ('nodes', 'tasks_per_node', 'slurm_ntasks_per_node'):
      if resources.get(name, 1) != 1:
        raise InputError(f'SweepConfig.resources: {name} is {resources[name]}, expected 1: a cell is one process, on all GPUs of a machine')
    self.outlives_sweep = kind == 'slurm'
    self._resources, self._queue = dict(resources), Queue()
    try:
      self._executor = submitit.AutoExecutor(folder, cluster=kind)
      self._executor.update_parameters(**{'timeout_min': _LONG[kind]} | self._resources)
    except RuntimeError as e:
      raise InputError(f'--executor {kind}: {e}') from None
    except (NameError, ValueError, AssertionError) as e:  # what submitit says of its parameters
      raise InputError(f'SweepConfig.resources: {" ".join(str(e).split())[:300]}') from None

  @property
  def environment(self) -> dict[str, str | None]:
    """Where nothing is said of GPUs, submitit's local jobs see none; ours see what the sweep does."""
    if self.outlives_sweep or 'gpus_per_node' in self._resources:
      return {}
    return {_GPUS: os.environ.get(_GPUS)}

  def submit(self, job: Job) -> Submitted:
    """Raises InputError: Slurm refuses it."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
      with _deaf():
        submitted = self._executor.submit(job)
    except (FailedJobError, FailedSubmissionError) as e:
      raise InputError(f'{job.cell.name}: could not be submitted: {" ".join(str(e).split())[:300]}') from None
    if not self.outlives_sweep:
      return submitted
    job.cell.folder.mkdir(parents=True, exist_ok=True)
    (job.cell.folder / _ID).write_text(submitted.job_id)
    self._queue.forget()  # the last answer is older than this job
    return SlurmJob(submitted, self._queue)

  def find(self, cell: Cell) -> Submitted | None:
    """The job of a cell that an earlier command left in the queue."""
    file = cell.folder / _ID
    if not self.outlives_sweep or not file.is_file():
      return None
    import submitit

    job = SlurmJob(submitit.SlurmJob(self._executor.folder, file.read_text().strip()), self._queue)
    return None if job.done() else job


@contextmanager
def _deaf() -> Iterator[None]:
  """What is started within does not hear Ctrl-C: it is the sweep's to hear, and jobs end with it in their own time."""
  before = signal.signal(signal.SIGINT, signal.SIG_IGN)
  try:
    yield
  finally:
    signal.signal(signal.SIGINT, before)
