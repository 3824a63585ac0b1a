"""How far a sweep has come, read from its cells' folders, and when it will be done."""

import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from mt3_synth.errors import InputError
from mt3_synth.evaluation.records import count_songs, is_evaluation, read_evaluation
from mt3_synth.sweeping.cells import Cell
from mt3_synth.sweeping.record import is_done

_TRAINING = 0.85  # of a cell's time, about
_TAIL = 4096  # bytes


class Display:
  """A bar over all cells, with what each running one does; use it in a `with` statement.

  Args:
    cells: of the sweep.
    steps: of each cell's training, by name.
  """

  def __init__(self, cells: list[Cell], steps: dict[str, int]):
    self.steps = steps
    self.done = {cell.name: fraction_done(cell, steps[cell.name]) for cell in cells}
    self.bar = tqdm(
      total=len(cells),
      initial=sum(self.done.values()),  # pyright: ignore[reportArgumentType]
      bar_format='sweep: {percentage:3.0f}%|{bar:20}| {n:.2f} of {total} cells, {elapsed} so far, {remaining} left{postfix}',
      smoothing=0,  # cells start and end: only the average tells of what is left
      mininterval=0.1 if sys.stderr.isatty() else 30,
    )

  def __enter__(self) -> Self:
    return self

  def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
    self.bar.close()

  def update(self, running: list[Cell]) -> None:
    for cell in running:
      self.done[cell.name] = fraction_done(cell, self.steps[cell.name])
    self.bar.set_postfix_str('; '.join(_doing(cell, self.steps[cell.name]) for cell in running), refresh=False)
    self.bar.update(sum(self.done.values()) - self.bar.n)

  def say(self, line: str) -> None:
    """A line of its own, above the bar."""
    tqdm.write(line, file=sys.stderr)


def fraction_done(cell: Cell, steps: int) -> float:
  """From 0 to 1, of a cell's time."""
  if is_done(cell):
    return 1.0
  evaluated = [done / songs for done, songs in (songs_done(folder) for folder in cell.evaluations.values()) if songs]
  share = sum(evaluated) / len(cell.evaluations) if cell.evaluations else 1.0
  return _TRAINING * min(steps_done(cell) / steps, 1.0) + (1 - _TRAINING) * share


def steps_done(cell: Cell) -> int:
  """The last step that its training has logged."""
  return max((int(line['step']) for line in _last_lines(cell.folder / 'metrics.jsonl')), default=0)


def songs_done(evaluation: Path) -> tuple[int, int]:
  """How many songs are evaluated, and of how many; of 0 before it has begun."""
  try:
    return count_songs(evaluation), len(read_evaluation(evaluation).songs)
  except InputError:
    return 0, 0


def _doing(cell: Cell, steps: int) -> str:
  begun = [(name, *songs_done(folder)) for name, folder in cell.evaluations.items() if is_evaluation(folder)]
  if begun:
    name, done, songs = begun[-1]
    return f'{cell.name}: {name}, song {min(done + 1, songs)} of {songs}'
  return f'{cell.name}: step {steps_done(cell)} of {steps}'


def _last_lines(file: Path) -> list[dict]:
  """The JSON objects at the end of a file of one a line."""
  try:
    with file.open('rb') as stream:
      stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL))
      lines = stream.read().split(b'\n')
  except OSError:
    return []
  found = []
  for line in lines:
    try:
      found.append(json.loads(line))
    except ValueError:  # cut at the front, or being written
      continue
  return [line for line in found if isinstance(line, dict) and 'step' in line]
