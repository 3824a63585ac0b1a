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
    if _scheduled() > 1:
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


def _scheduled() -> int:
  for name, count in SCHEDULERS.items():
    if name in os.environ:
      try:
        return count(os.environ[name])
      except ValueError:
        raise InputError(f'{name} is {os.environ[name]!r}, expected a number of processes') from None
  return 1


def _meet(*who) -> None:
  try:
    jax.distributed.initialize(*who)
  except (RuntimeError, ValueError) as e:  # what JAX's runtime raises of a wrong address, and of others that do not come
    raise InputError(
      f'the processes of this run did not meet ({" ".join(str(e).split())[:200]}); check --coordinator, or start all'
    ) from None
