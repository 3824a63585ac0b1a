"""The table of a report: each model's value of each measure, its interval, and how it differs from the baseline."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mt3_synth.errors import InputError, InputWarning
from mt3_synth.evaluation.pooled import reference_hash
from mt3_synth.evaluation.records import read_embeddings
from mt3_synth.reporting.comparison import Comparison, Row, Run
from mt3_synth.reporting.cost import parameter_count, training_minutes
from mt3_synth.reporting.listening import ANCHOR
from mt3_synth.reporting.measures import (
  COST,
  INVERTER_SPEED,
  LISTENING,
  PARAMETERS,
  RATING,
  SPECTROGRAM_SPEED,
  TRAINING,
  Measure,
  in_order,
  measure,
)
from mt3_synth.reporting.pooled import pooled_frechet, pooled_frechet_at_infinity, pooled_kernel_distance
from mt3_synth.reporting.ratings import Rated, Ratings, rate
from mt3_synth.reporting.resampling import FEWEST_SONGS, Draws, Interval, draw_songs, interval, means, ratios

DRAWS = 2000
POOLED_DRAWS = 400  # of Fréchet distances: an eigenvalue problem each


@dataclass(frozen=True)
class Cell:
  """One value of the table.

  Attributes:
    found: the value and its interval.
    difference: value less the baseline's, over the songs that both have; None of the baseline itself and of the recordings.
    songs, windows: how many it is of; windows 0 where it is of none.
    dimensions: of the embedding, where it is of windows.
    seeds: the value of each run; one where there is one seed.
  """

  found: Interval
  difference: Interval | None
  songs: int
  windows: int = 0
  dimensions: int = 0
  seeds: tuple[float, ...] = ()

  @property
  def over_seeds(self) -> float | None:
    """The standard deviation between seeds."""
    return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else None


@dataclass(frozen=True)
class Table:
  """All values, and how they were found.

  Attributes:
    measures: columns, in order.
    cells: by the row's name, then by key.
    baseline: the name of the row that others are compared to.
    draws, pooled_draws, seed: of the bootstrap.
    warnings: of the values.
    references: the hash of the recordings' embeddings, by embedder: of the same songs, that which their evaluation says.
    ratings, rated: of a listening test, where there was one.
  """

  measures: tuple[Measure, ...]
  cells: dict[str, dict[str, Cell]]
  baseline: str
  draws: int
  pooled_draws: int
  seed: int
  warnings: tuple[str, ...]
  references: dict[str, str] = field(default_factory=dict)
  ratings: Ratings | None = None
  rated: Rated | None = None


Estimate = tuple[np.ndarray, np.ndarray]  # of each run [K], and of each run and draw [K, R]


@dataclass(frozen=True)
class _Column:
  """A measure of every row that has it, before it is compared: how to find it of some songs."""

  key: str
  draws: Draws
  estimates: dict[str, Callable[[np.ndarray], Estimate]]  # of the songs where the mask [S] is true
  known: dict[str, np.ndarray]  # songs that have a value [S]
  windows: dict[str, tuple[int, int]] = field(default_factory=dict)  # how many, of how many dimensions


def summarise(
  comparison: Comparison,
  baseline: str | None = None,
  *,
  draws: int = DRAWS,
  seed: int = 0,
  infinite: bool = False,
  ratings: Ratings | None = None,
) -> Table:
  """The table of a comparison.

  Args:
    comparison: what was evaluated.
    baseline: the name of the row that others are compared to; the first model if not given.
    draws: resampled sets of songs; of pooled measures at most POOLED_DRAWS.
    seed: of the draws.
    infinite: also give Fréchet distances as they would be of endless sets, without intervals.
    ratings: of a listening test of a report of this comparison.

  Raises:
    InputError: there is no such baseline, or a system that was rated is not here.
  """
  base = comparison.row(baseline) if baseline else comparison.models[0]
  songs = len(comparison.songs)
  all_draws, pooled_draws = (draw_songs(songs, count, seed) for count in (draws, min(draws, POOLED_DRAWS)))
  cells: dict[str, dict[str, Cell]] = {row.name: {} for row in comparison.rows}
  columns = [*_per_song(comparison, all_draws), *_speeds(comparison, all_draws), *_pooled(comparison, pooled_draws, infinite)]
  for column in columns:
    for name in column.estimates:
      cells[name][column.key] = _cell(column, name, base.name, compared=comparison.row(name).kind != 'target')
  for row in comparison.models:
    cells[row.name] |= {key: Cell(Interval(value), None, songs) for key, value in _costs(row)}
  rated = rate(ratings, base.name, draws, seed) if ratings else None
  if ratings and rated:
    for name, cell in _rated(comparison, ratings, rated):
      cells[name][RATING.key] = cell
  keys = dict.fromkeys(key for row in cells.values() for key in row)
  return Table(
    tuple(in_order([measure(key) for key in keys])),
    cells,
    base.name,
    draws,
    min(draws, POOLED_DRAWS),
    seed,
    (*_warnings(comparison, cells), *_rating_warnings(ratings)),
    {embedder: reference_hash(_windows(comparison, [], embedder)[0]) for embedder in comparison.embedders},
    ratings,
    rated,
  )


def _cell(column: _Column, name: str, baseline: str, compared: bool) -> Cell:
  known = column.known[name]
  seeds, resampled = column.estimates[name](known)
  difference = None
  if compared and name != baseline and baseline in column.estimates:
    both = known & column.known[baseline]
    (here, drawn), (there, base_drawn) = column.estimates[name](both), column.estimates[baseline](both)
    difference = interval(here.mean() - there.mean(), drawn.mean(axis=0) - base_drawn.mean(axis=0), column.draws)
  found = interval(seeds.mean(), resampled.mean(axis=0), column.draws)
  return Cell(found, difference, int(known.sum()), *column.windows.get(name, (0, 0)), tuple(map(float, seeds)))


def _per_song(comparison: Comparison, draws: Draws) -> Iterable[_Column]:
  values = {row.name: comparison.values(row) for row in comparison.rows}
  for key in dict.fromkeys(key for row in values.values() for key in row):
    embedder = key.removesuffix('_distance')
    if (
      key.endswith('_distance')
      and embedder not in comparison.embedders
      and any(embedder in run.evaluation.embedders for run in comparison.runs)
    ):
      continue  # it is not the same in all
    of_rows = {name: row[key] for name, row in values.items() if key in row and np.isfinite(row[key]).any()}
    yield _Column(
      key,
      draws,
      {
        name: lambda mask, of_row=of_row: _stacked(means(np.where(mask, run, np.nan), draws) for run in of_row)
        for name, of_row in of_rows.items()
      },
      {name: np.logical_and.reduce(np.isfinite(of_row)) for name, of_row in of_rows.items()},
    )


def _speeds(comparison: Comparison, draws: Draws) -> Iterable[_Column]:
  seconds = comparison.seconds()
  for shown, part in ((SPECTROGRAM_SPEED, 'spectrogram'), (INVERTER_SPEED, 'inverter')):
    times = {row.name: [_times(run, comparison.songs, part) for run in row.runs] for row in comparison.models}
    times = {name: runs for name, runs in times.items() if np.isfinite(runs).any()}
    yield _Column(
      shown.key,
      draws,
      {
        name: lambda mask, runs=runs: _stacked(ratios(np.where(mask, run, np.nan), seconds, draws) for run in runs)
        for name, runs in times.items()
      },
      {name: np.logical_and.reduce(np.isfinite(runs)) for name, runs in times.items()},
    )


def _times(run: Run, songs: tuple[str, ...], part: str) -> np.ndarray:
  found = [run.results[song].time.get(part) for song in songs]
  return np.array([np.nan if seconds is None else seconds for seconds in found], float)


_POOLED = {'frechet': pooled_frechet, 'frechet_paper': partial(pooled_frechet, convention='paper'), 'kad': pooled_kernel_distance}


def _pooled(comparison: Comparison, draws: Draws, infinite: bool) -> Iterable[_Column]:
  kinds = _POOLED | ({'frechet_infinite': pooled_frechet_at_infinity} if infinite else {})
  for embedder in comparison.embedders:
    runs = [(row, run) for row in comparison.rows if row.kind != 'target' for run in row.runs]
    reference, *systems = _windows(comparison, runs, embedder)
    paired = np.array([all(len(song) and np.isfinite(song).all() for song in songs) for songs in zip(reference, *systems, strict=True)])
    reference, *systems = ([song for song, whole in zip(songs, paired, strict=True) if whole] for songs in (reference, *systems))
    windows = [sum(map(len, songs)) for songs in systems]
    if min([*windows, sum(map(len, reference))]) < 2:
      continue
    drawn = Draws(draws.counts[:, paired], draws.times)
    known = {row.name: paired for row, _ in runs}
    sizes = {row.name: (count, reference[0].shape[1]) for (row, _), count in zip(runs, windows, strict=True)}
    for kind, pooled in kinds.items():
      values, resampled = pooled(reference, systems, drawn)
      estimates = {}
      for name in known:
        own = [k for k, (row, _) in enumerate(runs) if row.name == name]
        estimates[name] = lambda _, values=values[own], resampled=resampled[own]: (values, resampled)
      yield _Column(f'{embedder}_{kind}', draws, estimates, known, sizes)


def _windows(comparison: Comparison, runs: list[tuple[Row, Run]], embedder: str) -> list[list[np.ndarray]]:
  """Embeddings [n, E] of each song: of the recordings, then of each run's sound; [0, 0] where there are none."""
  sources = [(comparison.first, 'target'), *((run, row.system) for row, run in runs)]
  return [[_of_song(run, song, f'{system}/{embedder}') for song in comparison.songs] for run, system in sources]


def _of_song(run: Run, song: str, name: str) -> np.ndarray:
  try:
    return read_embeddings(run.folder, song).get(name, np.zeros((0, 0)))
  except InputError as e:
    warnings.warn(f'{e}; pooled distances go without this song', InputWarning, stacklevel=2)
    return np.zeros((0, 0))


def _stacked(estimates: Iterable[tuple[float, np.ndarray]]) -> Estimate:
  values, drawn = zip(*estimates, strict=True)
  return np.array(values, float), np.stack(drawn)


def _costs(row: Row) -> Iterable[tuple[str, float]]:
  yield PARAMETERS.key, parameter_count(row.runs[0].config) / 1e6
  minutes = [training_minutes(run.evaluation.checkpoint) for run in row.runs]
  if None not in minutes:
    yield TRAINING.key, float(np.mean([each for each in minutes if each is not None]))


def _rated(comparison: Comparison, ratings: Ratings, rated: Rated) -> Iterable[tuple[str, Cell]]:
  for name in ratings.systems:
    if name != ANCHOR:
      row = comparison.row(name)
      difference = rated.differences.get(name) if row.kind != 'target' else None
      yield name, Cell(rated.found[name], difference, len(ratings.per_song(name)))


def _rating_warnings(ratings: Ratings | None) -> Iterable[str]:
  if ratings and ratings.left_out:
    some = '; '.join(f'{listener} {why}' for listener, why in ratings.left_out.items())
    yield f'{len(ratings.left_out)} of {len(ratings.left_out) + len(ratings.listeners)} listeners are in no rating here: {some}.'
  if ratings and len(ratings.listeners) == 1:
    yield 'One listener: ratings have no interval.'


def _warnings(comparison: Comparison, cells: dict[str, dict[str, Cell]]) -> Iterable[str]:
  songs = len(comparison.songs)
  if songs == 1:
    yield 'One song: there is no interval, and no difference can be told from chance.'
  elif songs < FEWEST_SONGS:
    yield f'{songs} songs: intervals from so few are narrower than they should be. Take marked differences as hints.'
  for embedder in comparison.embedders:
    pooled = [cell for row in cells.values() if (cell := row.get(f'{embedder}_frechet'))]
    if not pooled:
      yield f'{embedder}: there are no two windows of embeddings (the songs are silent or too short), so there are no pooled distances.'
    elif (fewest := min(pooled, key=lambda cell: cell.windows)).windows < fewest.dimensions:
      yield (
        f'{embedder}: {fewest.windows} windows are fewer than its {fewest.dimensions} dimensions. Fréchet distances of so few are biased '
        'upwards: compare them within this table only, and rely on the kernel distance beside them.'
      )
  for row in comparison.models:
    short = {key: songs - cell.songs for key, cell in cells[row.name].items() if cell.songs < songs}
    lacking = {key: count for key, count in short.items() if measure(key).group not in (COST, LISTENING)}
    if lacking:
      counts = ', '.join(f'{measure(key).label} {count}' for key, count in lacking.items())
      yield f'{row.name}: songs without a value: {counts}.'
