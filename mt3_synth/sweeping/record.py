"""What a cell's folder says of it: `cell.json`, and the files that its verbs write."""

import os
from dataclasses import dataclass, field
from typing import Literal

from mt3_synth.config import from_json, to_json
from mt3_synth.errors import InputError
from mt3_synth.sweeping.cells import Cell

FILE = 'cell.json'


@dataclass(frozen=True)
class Record:
  """How far a cell has come.

  Attributes:
    commands: {verb: arguments} that it was made with; its folder is written as `.`, so that a sweep can be moved.
    status: `failed` where a verb failed, which is then named.
    verb: the last that ran.
    error: its last line.
    seconds: {verb: seconds} of those that ran, over all attempts.
  """

  commands: dict
  status: Literal['running', 'done', 'failed'] = 'running'
  verb: str = ''
  error: str = ''
  seconds: dict = field(default_factory=dict)


def commands_of(cell: Cell) -> dict[str, list[str]]:
  """A cell's commands as its record has them."""
  return {verb: [word.replace(str(cell.folder), '.') for word in words] for verb, words in cell.commands.items()}


def read_record(cell: Cell) -> Record | None:
  """What the folder says; None where nothing has begun or the file is no record."""
  try:
    return from_json(Record, (cell.folder / FILE).read_text())
  except (OSError, UnicodeDecodeError, InputError):
    return None


def write_record(cell: Cell, record: Record) -> None:
  """Raises InputError: the folder can't be written to."""
  try:
    cell.folder.mkdir(parents=True, exist_ok=True)
    part = cell.folder / f'.{FILE}.part'
    part.write_text(to_json(record))
    os.replace(part, cell.folder / FILE)
  except OSError as e:
    raise InputError(f'{cell.folder}: {e.strerror}; choose another --out, or make room') from None


def is_done(cell: Cell) -> bool:
  """Whether it was trained and evaluated by the commands that it has now."""
  record = read_record(cell)
  return record is not None and record.status == 'done' and record.commands == commands_of(cell)
