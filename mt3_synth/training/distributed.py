"""Several processes as one run: JAX's own runtime, found where a scheduler says how many there are, or told by flags."""

import os

import jax

from mt3_synth.errors import InputError

SCHEDULERS = {  # the variable that says how many processes there are; JAX reads the rest
  'SLURM_STEP_NUM_TASKS': int,  # of `srun`, not of a job that only holds the machines
  'OMPI_COMM_WORLD_SIZE': int,
  'TPU_WORKER_HOSTNAMES': lambda names: len(names.split(',')),
}


def join(coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None) -> None:
  """Joins the other processes of the run, if there are any; to be called before anything is computed.

  Args:
    coordinator: HOST:PORT of process 0, where the processes meet; found by JAX under a scheduler.
    num_processes, process_id: how many there are, and which this is; all three or none.

  Raises:
    InputError: some are given and some not, or the others can't be met.
  """
  flags = {'--coordinator': coordinator, '--num_processes': num_processes, '--process_id': process_id}
  missing = [name for name, value in flags.items() if value is None]
  if len(missing) == len(flags):
    if _scheduled():
      _meet()
    return
  if missing:
    raise InputError(f'{missing[0]} is missing; give {", ".join(flags)} together, or none under a scheduler that tells')
  assert num_processes is not None
  assert process_id is not None
  if not 0 <= process_id < num_processes:
    raise InputError(f'--process_id is {process_id}, expected 0 to {num_processes - 1}')
  if num_processes > 1:
    _meet(coordinator, num_processes, process_id)


def _scheduled() -> bool:
  """Whether this process may be one of several, of which JAX can find the others."""
  for name, count in SCHEDULERS.items():
    if name in os.environ:
      try:
        return count(os.environ[name]) > 1
      except ValueError:
        raise InputError(f'{name} is {os.environ[name]!r}, expected a number of processes') from None
  # Of a pod of TPU virtual machines only their metadata tell, which JAX asks.  At its import it has said whether it found TPUs.
  return 'TPU_ML_PLATFORM' in os.environ and 'TPU_SKIP_MDS_QUERY' not in os.environ


def _meet(*who) -> None:
  try:
    jax.distributed.initialize(*who, local_device_ids=_all_gpus())
  except (RuntimeError, ValueError, OSError) as e:  # of a wrong address, of others that do not come, of metadata that are not there
    raise InputError(
      f'the processes of this run did not meet ({" ".join(str(e).split())[:200]}); check --coordinator, or start all'
    ) from None


def _all_gpus() -> list[int] | None:
  """Those of a machine on which SLURM started one task: JAX gives a task of SLURM one GPU, unless it is told.  None leaves it to JAX."""
  found = os.environ
  alone = found.get('SLURM_STEP_NUM_TASKS') == found.get('SLURM_STEP_NUM_NODES')
  count = found.get('SLURM_GPUS_ON_NODE', '') if alone else ''
  return list(range(int(count))) if count.isdigit() else None
