"""The cells of a sweep: which there are, and the commands that train and evaluate each."""

import difflib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mt3_synth.errors import InputError
from mt3_synth.sweeping.config import SweepConfig

TRAIN = 'train'  # the first of a cell's commands


@dataclass(frozen=True)
class Cell:
  """One run.

  Attributes:
    name: its folder's, the values and the seed.
    values: of each axis.
    folder: absolute; what `mt3-synth train` writes, and `evaluations/NAME`.
    gin_files, bindings: of its training.
    evaluate: the arguments of its evaluations by name, checkpoint and folder aside.
  """

  name: str
  values: Mapping[str, str]
  seed: int
  folder: Path
  gin_files: tuple[str, ...]
  bindings: tuple[str, ...]
  evaluate: Mapping[str, tuple[str, ...]]

  @property
  def evaluations(self) -> dict[str, Path]:
    """The folder of each evaluation."""
    return {name: self.folder / 'evaluations' / name for name in self.evaluate}

  @property
  def commands(self) -> dict[str, list[str]]:
    """The verbs to run, in order, with their arguments, each by a name that a log file can have."""
    files = [word for file in self.gin_files for word in ('--gin_file', file)]
    commands = {TRAIN: ['train', *files, *(f'--gin.{binding}' for binding in self.bindings)]}
    for name, folder in self.evaluations.items():
      commands[f'evaluate-{name}'] = ['evaluate', '--checkpoint', str(self.folder), '--out', str(folder), *self.evaluate[name]]
    return commands


def expand(
  config: SweepConfig, out: Path, chosen: Mapping[str, Sequence[str]], seeds: Sequence[int] = (), bindings: Sequence[str] = ()
) -> list[Cell]:
  """Every combination of values with every seed.

  Args:
    config: the sweep.
    out: the folder that the cells' folders are made in.
    chosen: values to keep, by axis; an axis that is not named keeps all.
    seeds: in place of the configuration's, if any are given.
    bindings: laid over all else.

  Raises:
    InputError: an axis, a value or a seed can't be used.
  """
  _check(config, chosen)
  values = [[value for value in chosen.get(axis) or config.axes[axis]] for axis in config.axes]
  seeds = tuple(seeds or config.seeds)
  if len(set(seeds)) != len(seeds) or not seeds:
    raise InputError(f'seeds are {", ".join(map(str, seeds)) or "none"}, expected different ones, at least one')
  # One seed of every combination before the next seed of any: a sweep that is stopped early has compared all of them.
  return [
    _cell(config, out, dict(zip(config.axes, combination, strict=True)), seed, bindings)
    for seed in seeds
    for combination in itertools.product(*values)
  ]


def read_choice(words: Sequence[str]) -> dict[str, list[str]]:
  """What `--set AXIS=VALUE,VALUE` says, by axis."""
  chosen = {}
  for word in words:
    axis, equals, values = word.partition('=')
    if not equals or not all(values.split(',')):
      raise InputError(f'--set {word}: expected AXIS=VALUE or AXIS=VALUE,VALUE')
    if axis in chosen:
      raise InputError(f'--set {axis} is given twice; give all its values at once, as in --set {axis}=A,B')
    chosen[axis] = list(dict.fromkeys(values.split(',')))
  return chosen


def label(cell: Cell, cells: Sequence[Cell]) -> str:
  """What tells a cell's model from the others': the values of the axes that vary, the seed aside."""
  varying = [axis for axis in cell.values if len({each.values[axis] for each in cells}) > 1] or list(cell.values)
  return ' '.join(cell.values[axis] for axis in varying)


def _cell(config: SweepConfig, out: Path, values: dict[str, str], seed: int, bindings: Sequence[str]) -> Cell:
  name = '-'.join([*values.values(), str(seed)])
  folder = out.absolute() / name
  words = [*(word for axis, value in values.items() for word in config.axes[axis][value]), *config.common]
  words += [word for key, more in config.combinations.items() if _conditions(key).items() <= values.items() for word in more]
  words = _filled(words, values, seed)
  return Cell(
    name,
    values,
    seed,
    folder,
    gin_files=tuple(word for word in words if _is_file(word)),
    bindings=(*(word for word in words if not _is_file(word)), f'TrainConfig.seed={seed}', f'MODEL_DIR={str(folder)!r}', *bindings),
    evaluate={name: tuple(_filled(words, values, seed)) for name, words in config.evaluations.items()},
  )


def _is_file(word: str) -> bool:
  return word.endswith('.gin')


def _filled(words: Iterable[str], values: Mapping[str, str], seed: int) -> list[str]:
  known = {**values, 'seed': str(seed)}
  return [re.sub(r'\{(\w+)\}', lambda found: known.get(found[1], found[0]), word) for word in words]


def _conditions(key: str) -> dict[str, str]:
  parts = [part.partition('=') for part in key.split()]
  return {axis: value for axis, _, value in parts}


def _check(config: SweepConfig, chosen: Mapping[str, Sequence[str]]) -> None:
  for axis, values in config.axes.items():
    if not values:
      raise InputError(f'SweepConfig.axes: {axis} has no values')
  for word in [*config.axes, *(value for values in config.axes.values() for value in values), *config.evaluations]:
    if not re.fullmatch(r'\w[\w.]*', word):
      raise InputError(f'SweepConfig: {word!r} is no name for an axis, a value or an evaluation; expected letters, digits, _ and .')
  if not config.axes:
    raise InputError('SweepConfig.axes is empty, expected {axis: {value: [gin files and bindings]}}')
  named = {'--set': chosen, 'SweepConfig.report_by': {axis: () for axis in config.report_by}}
  named |= {
    f'SweepConfig.combinations, {key!r}': {axis: [value] for axis, value in _conditions(key).items()} for key in config.combinations
  }
  for where, values_of in named.items():
    for axis, values in values_of.items():
      if axis not in config.axes:
        raise InputError(f'{where}: there is no axis {axis!r}{_nearest(axis, config.axes)}')
      for value in values:
        if value not in config.axes[axis]:
          raise InputError(f'{where}: {axis} has no value {value!r}{_nearest(value, config.axes[axis])}')


def _nearest(word: str, known: Iterable[str]) -> str:
  near = difflib.get_close_matches(word, list(known), 1, 0.6)
  return f'; did you mean {near[0]}?' if near else f'; there are {", ".join(known)}'
