"""The whole preparation of a corpus, with whatever writes the files."""

from collections.abc import Callable, Sequence
from pathlib import Path

from data_prep.prepare.folder import Prepared, claim, complete, read_finished, work_folder
from data_prep.prepare.plan import Plan, Shard

Write = Callable[[Sequence[Shard], Path], None]  # writes shards into a folder


def prepare(plan: Plan, out: Path, write: Write, destination: Path | None = None) -> Prepared:
  """Prepares a corpus; goes on where an earlier run of the same plan stopped.

  Args:
    plan: of `make_plan`.
    out: the result is out/CORPUS/CONFIG/VERSION.
    write: `write_locally` or `write_on_beam`, with their options.
    destination: where the result goes in place of that.

  Raises:
    InputError: the folder can't be used, or no song can.  What is finished is kept.
  """
  finished = read_finished(plan, out)
  if finished:
    return finished
  todo = claim(plan, out)
  write(todo, work_folder(plan, out))
  return complete(plan, out, destination)
