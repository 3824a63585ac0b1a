"""`mt3-synth sweep`: a comparison from one command: trains every cell, evaluates it, and writes the report.

  mt3-synth sweep --gin_file gin_configs/sweeps/ar_vs_ddpm.gin --out sweeps/ar_vs_ddpm
  mt3-synth sweep --gin_file gin_configs/sweeps/ar_vs_ddpm.gin --out sweeps/mine --set model=ar,ddpm --seeds 0,1,2

What is compared is said in the gin file (`SweepConfig`).  `--gin.SweepConfig.NAME=VALUE` changes the sweep, any other `--gin.NAME=VALUE`
every cell.  However it is stopped, no cell trains on behind your back, and the same command goes on; what is done is not done again.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from mt3_synth.config import ModelConfig
from mt3_synth.errors import InputError
from mt3_synth.evaluation.records import is_whole
from mt3_synth.gin_files import read_gin
from mt3_synth.sweeping.cells import Cell, expand, label, read_choice
from mt3_synth.sweeping.config import SweepConfig
from mt3_synth.sweeping.executors import EXECUTORS, Executor
from mt3_synth.sweeping.job import PROGRAM
from mt3_synth.sweeping.record import is_done
from mt3_synth.sweeping.running import Failure, run_cells
from mt3_synth.training.config import TrainConfig
from mt3_synth.training.planning import plan

SOME_FAILED = 3  # exit status
_SWEEP = 'SweepConfig.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.formatter_class, parser.description = argparse.RawDescriptionHelpFormatter, __doc__
  parser.add_argument('--gin_file', action='append', default=[], help='what the sweep is, e.g. gin_configs/sweeps/ar_vs_ddpm.gin')
  parser.add_argument('--gin_binding', action='append', default=[], help='one binding, as in --gin.TRAIN_STEPS=1000')
  parser.add_argument(
    '--set', action='append', default=[], metavar='AXIS=VALUE,...', help='the values to compare (default: all of each axis)'
  )
  parser.add_argument('--seeds', metavar='N,...', help='train each cell once with each of these')
  parser.add_argument('--executor', choices=EXECUTORS, default='local', help='this machine (default), or Slurm')
  parser.add_argument('--jobs', type=int, metavar='N', help='cells at a time (default: one on this machine, all in Slurm)')
  parser.add_argument(
    '--out', type=Path, required=True, metavar='DIR', help='cells are made in DIR/CELL, pages are DIR/report/EVALUATION/index.html'
  )
  parser.add_argument('--dry_run', action='store_true', help='list the cells, their commands and costs; run nothing')


def run(args: argparse.Namespace) -> int:
  """Trains, evaluates, reports.  Exit status 3 if cells failed.

  Raises:
    InputError: the sweep or a cell's configuration can't be used; nothing has been run then.
  """
  if not args.gin_file:
    raise InputError('no sweep; give at least one --gin_file, e.g. gin_configs/sweeps/ar_vs_ddpm.gin')
  if args.jobs is not None and args.jobs < 1:
    raise InputError(f'--jobs {args.jobs}: expected 1 or more')
  of_sweep = [binding for binding in args.gin_binding if binding.startswith(_SWEEP)]
  of_cells = [binding for binding in args.gin_binding if not binding.startswith(_SWEEP)]
  config = read_gin(SweepConfig, args.gin_file, of_sweep)
  cells = expand(config, args.out, read_choice(args.set), _seeds(args.seeds), of_cells)
  configs = {cell.name: read_cell(cell) for cell in cells}
  if args.dry_run:
    print(outline(cells, configs))
    return 0
  try:
    args.out.mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise InputError(f'{args.out}: {e.strerror}; give an --out that can be written') from None
  executor = Executor(args.executor, args.out / 'jobs', config.resources)
  steps = {name: each.total_steps for name, each in configs.items()}
  failures = run_cells(cells, steps, executor, args.out.absolute(), args.jobs or config.jobs)
  status = write_reports(cells, args.out / 'report', config)
  if failures:
    _list(failures, len(cells))
  return status or (SOME_FAILED if failures else 0)


def read_cell(cell: Cell) -> TrainConfig:
  """A cell's configuration; raises InputError, which names the cell, where it has none."""
  try:
    return read_gin(TrainConfig, list(cell.gin_files), list(cell.bindings))
  except InputError as e:
    raise InputError(f'{cell.name}: {e}') from None


def write_reports(cells: list[Cell], out: Path, config: SweepConfig) -> int:
  """A report of each evaluation: of all cells, and of those that share a value.  The worst exit status."""
  groups = {'': cells}
  for axis in config.report_by:
    for value in dict.fromkeys(cell.values[axis] for cell in cells):
      alike = [cell for cell in cells if cell.values[axis] == value]
      groups |= {f'-{value}': alike} if len(alike) < len(cells) else {}
  statuses = [
    _report(name, group, out / f'{name}{suffix}', config.report) for name in config.evaluations for suffix, group in groups.items()
  ]
  return max(statuses, default=0)


def _report(name: str, cells: list[Cell], folder: Path, arguments: tuple[str, ...]) -> int:
  folders = [(cell, cell.evaluations[name]) for cell in cells]
  whole = [(cell, evaluation) for cell, evaluation in folders if is_whole(evaluation)]
  if not whole:
    print(f'{folder}: no cell of it was evaluated, so there is no report', file=sys.stderr)
    return SOME_FAILED
  names = [label(cell, cells) for cell, _ in whole]
  words = ['report', *(str(evaluation) for _, evaluation in whole), '--out', str(folder), '--names', *names, *arguments]
  return subprocess.run([*PROGRAM, *words], check=False).returncode


def outline(cells: list[Cell], configs: dict[str, TrainConfig]) -> str:
  """The cells, what each costs and its commands, as text."""
  lines = []
  for cell in cells:
    state = 'done' if is_done(cell) else 'begun' if cell.folder.exists() else 'new'
    lines += [f'{cell.name} ({state}): {cost(configs[cell.name])}']
    lines += [f'  mt3-synth {" ".join(map(_quoted, words))}' for words in cell.commands.values()]
  return '\n'.join(lines)


def cost(config: TrainConfig) -> str:
  """What a cell's training takes."""
  steps = f'{config.total_steps} steps of {config.batch_size} examples'
  if not isinstance(config.model, ModelConfig):
    return steps
  taken = plan(config, 1)
  total = taken.operations * config.total_steps / 1e12
  return f'{taken.parameters / 1e6:.1f} M parameters, {steps}, {total:.4g} TFLOP of matrix products at most'


def _quoted(word: str) -> str:
  """For a shell; readable where the word has quotes itself."""
  return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def _seeds(words: str | None) -> list[int]:
  try:
    return [int(word) for word in words.split(',')] if words is not None else []
  except ValueError:
    raise InputError(f'--seeds {words}: expected whole numbers, as in --seeds 0,1,2') from None


def _list(failures: list[Failure], cells: int) -> None:
  print(f'{len(failures)} of {cells} cells failed; the same command tries them again:', file=sys.stderr)
  print('\n'.join(f'  {failure}' for failure in failures), file=sys.stderr)
