"""The page of a report: what it shows, as data for its script."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mt3_synth.config import MelConfig
from mt3_synth.pages.assemble import as_script, escaped, fill, page_text, write_whole
from mt3_synth.plots import mel_colours
from mt3_synth.reporting.comparison import Comparison, Row
from mt3_synth.reporting.measures import RATING, is_better, is_headline
from mt3_synth.reporting.media import Shown
from mt3_synth.reporting.ratings import in_words
from mt3_synth.reporting.resampling import LEVEL, Interval
from mt3_synth.reporting.summary import Cell, Table

SCRIPTS = ('dom.js', 'theme.js', 'player.js', 'report/table.js', 'report/charts.js', 'report/songs.js', 'report/report.js')
STYLES = ('theme.css', 'controls.css', 'report/report.css')


def write_report_page(out: Path, title: str, comparison: Comparison, table: Table, shown: Mapping[str, Shown]) -> Path:
  """Writes index.html, which needs the files of `shown` beside it and nothing else."""
  data = page_data(title, comparison, table, shown)
  parts = {'title': escaped(title), 'style': page_text(*STYLES), 'data': as_script(data), 'script': page_text(*SCRIPTS)}
  return write_whole(out / 'index.html', fill(page_text('report/report.html'), parts))


def page_data(title: str, comparison: Comparison, table: Table, shown: Mapping[str, Shown]) -> dict[str, Any]:
  """What the script is given; numbers that are not there are null."""
  first, mel = comparison.first.evaluation, comparison.first.config.mel
  return {
    'title': title,
    'facts': {key: value for key, value in _facts(comparison, table).items() if value},
    'warnings': [*comparison.warnings, *table.warnings],
    'level': LEVEL,
    'baseline': table.baseline,
    'measures': [vars(measure) | {'headline': is_headline(measure)} for measure in table.measures],
    'systems': [_system(row, table) for row in comparison.rows],
    'songs': [*_songs(comparison, table, shown)],
    'leftOut': comparison.left_out,
    'minutes': _minutes(comparison),
    'scale': {'colours': mel_colours(9), 'low': float(np.log(mel.floor)), 'high': mel.log_ceiling, 'ticks': _ticks(mel)},
    'corpus': f'{first.corpus}, {first.split}',
  }


def _facts(comparison: Comparison, table: Table) -> dict[str, str]:
  first, runs = comparison.first.evaluation, [run.evaluation for run in comparison.runs]
  each = lambda values: ', '.join(dict.fromkeys(values))
  pooled = ((key, cell) for cells in table.cells.values() for key, cell in cells.items() if key.endswith('_frechet'))
  return {
    'Corpus': f'{first.corpus}, {first.split} split',
    'Songs': f'{len(comparison.songs)} songs, {_duration(comparison.seconds().sum())}',
    'Windows': each(f'{cell.windows} ({key.removesuffix("_frechet")})' for key, cell in pooled),
    'Embedders': each(f'{name} ({value[:8]})' for name, value in comparison.embedders.items()),
    'Reference': each(f'the recordings ({name} {value[:8]})' for name, value in table.references.items()),
    'Transcribers': each(first.transcribers),
    'Inverter': each(Path(run.inverter).name for run in runs),
    'Device': each(run.device for run in runs),
    'Listening test': in_words(table.ratings, table.rated) if table.ratings and table.rated else '',
    'Compared to': table.baseline,
    'Intervals': f'{LEVEL:.0%}, paired bootstrap over songs, {table.draws} draws ({table.pooled_draws} of pooled ones), seed {table.seed}',
    'Definitions': f'metric version {first.metric_version}, code {each(run.code_version for run in runs)}',
  }


def _duration(seconds: float) -> str:
  minutes, rest = divmod(round(seconds), 60)
  return f'{minutes} min {rest} s' if minutes else f'{rest} s'


def _system(row: Row, table: Table) -> dict[str, Any]:
  evaluation = row.runs[0].evaluation
  facts = {}
  if row.kind == 'model':
    sampler = evaluation.sampler
    facts = {
      'Checkpoint': ', '.join(dict.fromkeys(run.evaluation.checkpoint for run in row.runs)),
      'Seeds': ', '.join(str(run.evaluation.seed) for run in row.runs),
      'Context': evaluation.context.replace('_', ' '),
      'Sampler': ', '.join(f'{key} {value}' for key, value in sampler.items() if value is not None),
      'Device': evaluation.device,
      **{key.replace('_', ' ').capitalize(): str(value) for key, value in evaluation.settings.items() if value not in (None, '', [], {})},
    }
  elif row.kind == 'ceiling':
    facts = {'Inverter': evaluation.inverter}
  better = {
    measure.key: is_better(measure, difference.value) for measure in table.measures if (difference := _difference(table, row, measure.key))
  }
  return {
    'name': row.name,
    'kind': row.kind,
    'facts': facts,
    'cells': {key: _cell(key, cell, better.get(key)) for key, cell in table.cells[row.name].items()},
  }


def _difference(table: Table, row: Row, key: str) -> Interval | None:
  cell = table.cells[row.name].get(key)
  return cell.difference if cell else None


def _cell(key: str, cell: Cell, better: bool | None) -> dict[str, Any]:
  said: dict[str, Any] = {'value': _numbers(cell.found), 'songs': cell.songs}
  if cell.windows:
    said |= {'windows': cell.windows, 'few': 'frechet' in key and cell.windows < cell.dimensions}
  if cell.over_seeds is not None:
    said |= {'seeds': len(cell.seeds), 'overSeeds': _number(cell.over_seeds)}
  if cell.difference:
    said |= {'difference': _numbers(cell.difference), 'differs': cell.difference.excludes_zero, 'better': better}
  return said


def _numbers(found: Interval) -> list[float | None]:
  return [_number(value) for value in found]


def _number(value: float | None) -> float | None:
  return None if value is None or not np.isfinite(value) else float(f'{value:.6g}')


def _songs(comparison: Comparison, table: Table, shown: Mapping[str, Shown]) -> Iterable[dict[str, Any]]:
  of_rows = [comparison.values(row) for row in comparison.rows]
  rated = [_ratings_of(row, table) for row in comparison.rows]
  for number, song in enumerate(comparison.songs):
    result = comparison.first.results[song]
    values = [{key: _number(float(found[:, number].mean())) for key, found in of_row.items()} for of_row in of_rows]
    for of_row, ratings in zip(values, rated, strict=True):
      of_row |= {RATING.key: _number(ratings[song])} if song in ratings else {}
    notes = dict.fromkeys(warning for run in comparison.runs for warning in run.results[song].warnings)
    media = {'media': _media(shown[song], comparison.rows)} if song in shown else {}
    yield {'name': song, 'seconds': result.seconds, 'notes': result.notes, 'values': values, 'warnings': list(notes)} | media


def _ratings_of(row: Row, table: Table) -> dict[str, float]:
  return table.ratings.per_song(row.name) if table.ratings and row.name in table.ratings.systems else {}


def _media(shown: Shown, rows: Iterable[Row]) -> dict[str, Any]:
  sounds = [{'mel': shown.mels.get(row.name, ''), 'audio': shown.audio.get(row.name, '')} for row in rows]
  return {'seconds': shown.seconds, 'roll': shown.roll, 'instruments': shown.instruments, 'systems': sounds}


def _minutes(comparison: Comparison) -> dict[str, list[list[dict[str, Any]]]]:
  """By key, for each row: mean and number of songs of every minute of the pieces; empty where it was not asked for."""
  found: dict[str, list[list[dict[str, Any]]]] = {}
  for k, row in enumerate(comparison.rows):
    gathered: dict[str, dict[int, list[float]]] = {}
    for run in row.runs:
      for song in comparison.songs:
        for part in run.results[song].systems.get(row.system, {}).get('per_minute', []):
          for key, value in part['metrics'].items():
            if value is not None:
              gathered.setdefault(key, {}).setdefault(part['minute'], []).append(value)
    for key, minutes in gathered.items():
      rows = found.setdefault(key, [[] for _ in comparison.rows])
      rows[k] = [
        {'minute': at, 'mean': _number(float(np.mean(values))), 'songs': len(values) // len(row.runs)}
        for at, values in sorted(minutes.items())
      ]
  return found


def _ticks(mel: MelConfig) -> list[dict[str, Any]]:
  """Where frequencies stand in a spectrogram, as a share of its height from below."""
  to_mel = lambda hertz: np.log1p(hertz / 700)
  low, high = to_mel(mel.low_hz), to_mel(mel.high_hz)
  return [
    {'label': f'{hertz / 1000:g}k' if hertz >= 1000 else str(hertz), 'at': float((to_mel(hertz) - low) / (high - low))}
    for hertz in (500, 1000, 2000, 4000)
    if mel.low_hz < hertz < mel.high_hz
  ]
