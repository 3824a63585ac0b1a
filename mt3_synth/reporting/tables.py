"""The files of a report for other programs: metrics.json, per_song.csv, summary.csv, table.tex."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mt3_synth.errors import InputError
from mt3_synth.evaluation.records import read_mels
from mt3_synth.pages.assemble import write_whole
from mt3_synth.reporting.comparison import Comparison, Row
from mt3_synth.reporting.measures import Measure, is_better
from mt3_synth.reporting.resampling import LEVEL, Interval
from mt3_synth.reporting.summary import Cell, Table

VERSION = 1  # of metrics.json


def write_tables(out: Path, comparison: Comparison, table: Table) -> None:
  """Writes all four into an existing folder."""
  write_whole(out / 'metrics.json', json.dumps(as_json(comparison, table), indent=1, allow_nan=False) + '\n')
  write_whole(out / 'per_song.csv', _csv(_per_song(comparison)))
  write_whole(out / 'summary.csv', _csv(_summary(comparison, table)))
  write_whole(out / 'table.tex', latex(comparison, table))


def as_json(comparison: Comparison, table: Table) -> dict[str, Any]:
  """Everything that the page says, and where it comes from."""
  first = comparison.first.evaluation
  return {
    'version': VERSION,
    'created': datetime.now(UTC).isoformat(timespec='seconds'),
    'corpus': first.corpus,
    'split': first.split,
    'songs': list(comparison.songs),
    'left_out': comparison.left_out,
    'seconds': float(comparison.seconds().sum()),
    'metric_version': first.metric_version,
    'embedders': comparison.embedders,
    'reference': {
      'set': f'recordings of {first.corpus}, split {first.split}',
      'sha256': _reference_hash(comparison),
      'embeddings': table.references,
    },
    'bootstrap': {
      'level': LEVEL,
      'over': 'songs, the same draws for all',
      'draws': table.draws,
      'pooled_draws': table.pooled_draws,
      'seed': table.seed,
    },
    'baseline': table.baseline,
    'measures': [vars(measure) for measure in table.measures],
    'systems': [_system(row, table) for row in comparison.rows],
    'listening': _listening(table),
    'warnings': [*comparison.warnings, *table.warnings],
  }


def _listening(table: Table) -> dict[str, Any] | None:
  if table.ratings is None or table.rated is None:
    return None
  said = {'listeners': list(table.ratings.listeners), 'left_out': table.ratings.left_out, 'songs': list(table.ratings.songs)}
  return said | {'systems': {name: _interval(found) for name, found in table.rated.found.items()}}


def _system(row: Row, table: Table) -> dict[str, Any]:
  return {
    'name': row.name,
    'kind': row.kind,
    'evaluations': [
      {'folder': str(run.folder), **{key: value for key, value in vars(run.evaluation).items() if key != 'songs'}} for run in row.runs
    ],
    'values': {key: _cell(cell) for key, cell in table.cells[row.name].items()},
  }


def _cell(cell: Cell) -> dict[str, Any]:
  said = _interval(cell.found) | {'songs': cell.songs}
  if cell.windows:
    said |= {'windows': cell.windows, 'dimensions': cell.dimensions}
  if len(cell.seeds) > 1:
    said |= {'seeds': [_number(value) for value in cell.seeds], 'over_seeds': _number(cell.over_seeds)}
  if cell.difference:
    said['difference'] = _interval(cell.difference) | {'excludes_zero': cell.difference.excludes_zero}
  return said


def _interval(found: Interval) -> dict[str, Any]:
  return {name: _number(value) for name, value in found._asdict().items()}


def _number(value: float | None) -> float | None:
  return None if value is None or not np.isfinite(value) else float(value)


def _reference_hash(comparison: Comparison) -> str | None:
  """Of the recordings' spectrograms: reports with the same one compared to the same recordings.  None where one is not there."""
  digest = hashlib.sha256()
  for song in comparison.songs:
    try:
      mel = read_mels(comparison.first.folder, song)['target']
    except (InputError, KeyError):
      return None
    digest.update(song.encode() + b'\0' + np.ascontiguousarray(mel).tobytes())
  return digest.hexdigest()


def _per_song(comparison: Comparison) -> Iterable[list]:
  of_rows = [(row, comparison.values(row)) for row in comparison.rows]
  keys = list(dict.fromkeys(key for _, values in of_rows for key in values))
  yield ['song', 'seconds', 'notes', 'system', 'seed', *keys]
  for number, song in enumerate(comparison.songs):
    for row, values in of_rows:
      for k, run in enumerate(row.runs):
        result = run.results[song]
        found = [_number(values[key][k, number]) if key in values else None for key in keys]
        yield [song, result.seconds, result.notes, row.name, run.evaluation.seed, *found]


def _summary(comparison: Comparison, table: Table) -> Iterable[list]:
  yield [
    'system', 'measure', 'value', 'low', 'high', 'songs', 'windows', 'seeds', 'over_seeds',
    'baseline', 'difference', 'difference_low', 'difference_high', 'excludes_zero',
  ]  # fmt: skip
  for row in comparison.rows:
    for key, cell in table.cells[row.name].items():
      against = cell.difference or Interval(float('nan'))
      yield [
        row.name, key, *map(_number, cell.found), cell.songs, cell.windows or None, len(cell.seeds) or None, _number(cell.over_seeds),
        table.baseline if cell.difference else None, *map(_number, against), against.excludes_zero if cell.difference else None,
      ]  # fmt: skip


def _csv(rows: Iterable[list]) -> str:
  text = io.StringIO()
  csv.writer(text, lineterminator='\n').writerows(rows)
  return text.getvalue()


def latex(comparison: Comparison, table: Table) -> str:
  """A table for a paper (needs booktabs): systems in rows, the best model of each measure bold."""
  columns = [measure for measure in table.measures if any(measure.key in cells for cells in table.cells.values())]
  arrows = {'lower': r' $\downarrow$', 'higher': r' $\uparrow$', 'nearer 0': r' $\to 0$', '': ''}
  heads = [_tex(f'{each.label} [{each.unit}]' if each.unit else each.label) + arrows[each.better] for each in columns]
  lines = [
    f'% {len(comparison.songs)} songs of {comparison.first.evaluation.corpus}, {comparison.first.evaluation.split}; metric version '
    f'{comparison.first.evaluation.metric_version}',
    f'% small: {LEVEL:.0%} intervals (bootstrap over songs); *: differs from {table.baseline}, the interval of the difference excludes 0',
    rf'\begin{{tabular}}{{l{"r" * len(columns)}}}',
    r'\toprule',
    ' & '.join(['', *heads]) + r' \\',
    r'\midrule',
  ]
  best = {each.key: _best(each, comparison, table) for each in columns}
  for row in comparison.rows:
    cells = [_tex_cell(table.cells[row.name].get(each.key), row.kind == 'model', best[each.key] == row.name) for each in columns]
    lines.append(' & '.join([_tex(row.name), *cells]) + r' \\')
    if row.kind != 'model' and comparison.rows[comparison.rows.index(row) + 1].kind == 'model':
      lines.append(r'\midrule')
  return '\n'.join([*lines, r'\bottomrule', r'\end{tabular}', ''])


def _best(measure: Measure, comparison: Comparison, table: Table) -> str | None:
  """The model with the best value, where there are several."""
  models = {row.name: cell.found.value for row in comparison.models if (cell := table.cells[row.name].get(measure.key))}
  if len(models) < 2 or is_better(measure, 1) is None:
    return None
  return (max if is_better(measure, 1) else min)(models, key=lambda name: models[name])


def _tex_cell(cell: Cell | None, marked: bool, best: bool) -> str:
  if cell is None or not np.isfinite(cell.found.value):
    return '--'
  number = f'{cell.found.value:.3g}'
  text = rf'\textbf{{{number}}}' if best else number
  if marked and cell.difference and cell.difference.excludes_zero:
    text += '*'
  if np.isfinite(cell.found.low):
    text += rf' {{\scriptsize [{cell.found.low:.3g}, {cell.found.high:.3g}]}}'
  return text


_TEX = str.maketrans(
  {each: rf'\{each}' for each in '&%$#_{}'} | {'~': r'\textasciitilde{}', '^': r'\textasciicircum{}', '\\': r'\textbackslash{}'}
)


def _tex(text: str) -> str:
  return text.translate(_TEX)
