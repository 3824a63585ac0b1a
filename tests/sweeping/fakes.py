"""Small sweeps of fake verbs; as a program, one sweep of two cells in a folder: `python -m tests.sweeping.fakes FOLDER STEPS`."""

import sys
from pathlib import Path

from mt3_synth.sweeping.cells import Cell, expand
from mt3_synth.sweeping.config import SweepConfig
from mt3_synth.sweeping.executors import Executor
from mt3_synth.sweeping.running import Failure, run_cells

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, str(Path(__file__).with_name('fake_verbs.py')))
CONFIG = SweepConfig(axes={'model': {'ar': [], 'ddpm': []}}, evaluations={'test': [], 'validation': []})


def cells(out: Path, steps: int) -> list[Cell]:
  return expand(CONFIG, out, {}, bindings=[f'TRAIN_STEPS={steps}'])


def sweep(out: Path, steps: int, kind: str = 'local', at_once: int = 2, **resources) -> list[Failure]:
  each = cells(out, steps)
  executor = Executor(kind, out / 'jobs', resources)
  return run_cells(each, {cell.name: steps for cell in each}, executor, out, at_once, PROGRAM)


if __name__ == '__main__':
  sweep(Path(sys.argv[1]), int(sys.argv[2]))
