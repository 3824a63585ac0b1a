"""Evaluations of the same songs, read side by side."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from mt3_synth.config import ModelConfig, from_json
from mt3_synth.errors import InputError
from mt3_synth.evaluation.records import Evaluation, SongResult, System, read_evaluation, read_songs

TARGET, CEILING = 'ground truth', 'ground truth, inverted'


@dataclass(frozen=True)
class Run:
  """One evaluation folder."""

  folder: Path
  evaluation: Evaluation
  results: dict[str, SongResult]

  @property
  def config(self) -> ModelConfig:
    return from_json(ModelConfig, json.dumps(self.evaluation.config), str(self.folder))

  @property
  def measured(self) -> set[str]:
    return {song for song, result in self.results.items() if result.status == 'ok'}


@dataclass(frozen=True)
class Row:
  """One row of a table: a model, evaluated once for each of its seeds, or the recordings themselves.

  Attributes:
    name: for people; no two rows have the same.
    kind: the recordings, the recordings through the inverter, or a model.
    runs: the evaluations it is read from; of a model one a seed.
  """

  name: str
  kind: Literal['target', 'ceiling', 'model']
  runs: tuple[Run, ...]

  @property
  def system(self) -> System:
    """As evaluations call it."""
    return 'prediction' if self.kind == 'model' else self.kind


@dataclass(frozen=True)
class Comparison:
  """What a report is made of.

  Attributes:
    rows: the recordings, then the inverted recordings, then the models in the order given.
    songs: ids of the songs that every run measured, in the corpus's order.
    left_out: song -> why it is not among them.
    embedders: the hash of each that all runs share.
    warnings: what a reader should know before the numbers.
  """

  rows: tuple[Row, ...]
  songs: tuple[str, ...]
  left_out: dict[str, str]
  embedders: dict[str, str]
  warnings: list[str] = field(default_factory=list)

  @property
  def models(self) -> list[Row]:
    return [row for row in self.rows if row.kind == 'model']

  @property
  def first(self) -> Run:
    return self.models[0].runs[0]

  @property
  def runs(self) -> list[Run]:
    return [run for row in self.models for run in row.runs]

  def row(self, name: str) -> Row:
    """Raises InputError: there is none of this name."""
    for row in self.rows:
      if row.name == name:
        return row
    raise InputError(f'no model is called {name!r}; there are {", ".join(repr(row.name) for row in self.rows)}')

  def values(self, row: Row) -> dict[str, np.ndarray]:
    """Measures of a row, [runs, songs] by key; NaN where a song has no value."""
    measured = [[run.results[song].metrics(row.system) for song in self.songs] for run in row.runs]
    keys = dict.fromkeys(key for songs in measured for metrics in songs for key in metrics)
    return {key: np.array([[metrics.get(key, np.nan) for metrics in songs] for songs in measured], float) for key in keys}

  def seconds(self) -> np.ndarray:
    """Lengths of the songs [S]."""
    return np.array([self.first.results[song].seconds for song in self.songs], float)


def read_comparison(folders: Sequence[str | Path], names: Sequence[str] = ()) -> Comparison:
  """Reads evaluation folders.

  Args:
    folders: at least one.  Those of one name are one model, evaluated once a seed.
    names: of the models, one a folder, in place of the evaluations' own.

  Raises:
    InputError: a folder is no evaluation, they are of different corpora or definitions of measures, or share no song.
  """
  if names and len(names) != len(folders):
    raise InputError(f'{len(names)} names for {len(folders)} evaluations; give one a folder, the same one for seeds of one model')
  runs = [_read_run(Path(folder)) for folder in folders]
  _check_alike(runs)
  named = list(zip(runs, names or [run.evaluation.name for run in runs], strict=True))
  useful = [(run, name) for run, name in named if run.measured] or named
  lost = [f'{name}: {_nothing(run)}; it is not in this report.' for run, name in named if (run, name) not in useful]
  runs, grouped = [run for run, _ in useful], {}
  for run, name in useful:
    grouped.setdefault(name, []).append(run)
  for taken in {TARGET, CEILING} & set(grouped):
    raise InputError(f'{taken!r} is the name of the recordings; give that model another with --names')
  left_out = _left_out(runs)
  songs = tuple(song for song in runs[0].evaluation.songs if song not in left_out)
  if not songs:
    some = '; '.join(f'{song}: {why}' for song, why in list(left_out.items())[:3])
    raise InputError(f'no song was measured in all of {", ".join(str(run.folder) for run in runs)} ({some or "they hold none"})')
  models = tuple(Row(name, 'model', tuple(group)) for name, group in grouped.items())
  rows = (Row(TARGET, 'target', (runs[0],)), *_ceilings(runs), *models)
  embedders = _shared_embedders(runs)
  return Comparison(rows, songs, left_out, embedders, [*lost, *_warnings(runs, grouped, songs, left_out, embedders)])


def _read_run(folder: Path) -> Run:
  evaluation = read_evaluation(folder)
  return Run(folder, evaluation, {result.song: result for result in read_songs(folder, evaluation)})


def _check_alike(runs: list[Run]) -> None:
  first = runs[0]
  for run in runs[1:]:
    for what in ('metric_version', 'corpus', 'split'):
      here, there = getattr(run.evaluation, what), getattr(first.evaluation, what)
      if here != there:
        raise InputError(f'{run.folder}: {what} is {here!r}, that of {first.folder} is {there!r}: they do not compare; evaluate one again')
    if run.folder.resolve() in {other.folder.resolve() for other in runs if other is not run}:
      raise InputError(f'{run.folder}: is given twice; name each evaluation once')


def _nothing(run: Run) -> str:
  """Why an evaluation has no values."""
  error = next((result.error for result in run.results.values()), 'it was not evaluated yet')
  return f'no song of {run.folder} could be measured ({error})'


def _left_out(runs: list[Run]) -> dict[str, str]:
  """Songs that not every run measured, or not of the same recording -> why, of the first run that did not."""
  found: dict[str, str] = {}
  for run in runs:
    for song in dict.fromkeys([*(each for other in runs for each in other.evaluation.songs)]):
      if song in found:
        continue
      result, first = run.results.get(song), runs[0].results.get(song)
      if result is None or result.status != 'ok':
        found[song] = f'{run.evaluation.name}: {result.error if result else "not evaluated yet"}'
      elif first is not None and result.seconds != first.seconds:
        found[song] = f'{run.evaluation.name}: of {result.seconds:g} s, {runs[0].evaluation.name} of {first.seconds:g} s'
  return found


def _ceilings(runs: list[Run]) -> Iterable[Row]:
  """The recordings through each inverter that is in use."""
  by_inverter: dict[str, Run] = {}
  for run in runs:
    by_inverter.setdefault(run.evaluation.inverter, run)
  for inverter, run in by_inverter.items():
    yield Row(CEILING if len(by_inverter) == 1 else f'{CEILING} ({Path(inverter).name})', 'ceiling', (run,))


def _shared_embedders(runs: list[Run]) -> dict[str, str]:
  first = runs[0].evaluation.embedders
  return {name: value for name, value in first.items() if all(run.evaluation.embedders.get(name) == value for run in runs)}


def _warnings(runs: list[Run], grouped: dict[str, list[Run]], songs, left_out, embedders) -> Iterable[str]:
  if left_out:
    some = '; '.join(f'{song} ({why})' for song, why in list(left_out.items())[:5])
    more = f'; and {len(left_out) - 5} more, see metrics.json' if len(left_out) > 5 else ''
    total = len(songs) + len(left_out)
    yield f'{len(left_out)} of {total} songs are in no number here, because some evaluation lacks them: {some}{more}.'
  for name in dict.fromkeys(name for run in runs for name in run.evaluation.embedders if name not in embedders):
    yield f'The embedder {name} is missing in some evaluation, or is not the same in all: its measures are left out.'
  for what, says in (('context', 'context'), ('device', 'device (do not compare speeds)'), ('code_version', 'version of the code')):
    found = list(dict.fromkeys(str(getattr(run.evaluation, what)) for run in runs))
    if len(found) > 1:
      yield f'Evaluations differ in {says}: {", ".join(found)}.'
  for name, group in grouped.items():
    seeds = [run.evaluation.seed for run in group]
    checkpoints = [run.evaluation.checkpoint for run in group]
    if len(set(zip(seeds, checkpoints, strict=True))) < len(group):
      yield f'{name}: some of its {len(group)} evaluations have the same checkpoint and the same seed.'
  noted: dict[str, list[str]] = {}
  for run in runs:
    for song in songs:
      for warning in run.results[song].warnings:
        noted.setdefault(warning, []).append(song)
  for warning, where in noted.items():
    where = list(dict.fromkeys(where))
    yield f'{warning} ({len(where)} song{"s" * (len(where) > 1)}: {", ".join(where[:3])}{", …" if len(where) > 3 else ""})'
