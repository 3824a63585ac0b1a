import numpy as np
import pytest

from mt3_synth.evaluation.frechet import frechet_at_infinity, frechet_distance
from mt3_synth.evaluation.pooled import pool
from mt3_synth.evaluation.records import read_embeddings, read_songs
from mt3_synth.reporting.comparison import read_comparison
from mt3_synth.reporting.summary import summarise
from tests.reporting.evaluations import write_evaluation_of_tones


@pytest.fixture(scope='module')
def comparison(tmp_path_factory):
  root = tmp_path_factory.mktemp('evaluations')
  write = lambda folder, *args, **more: write_evaluation_of_tones(root / folder, *args, songs=8, seconds=1, **more)
  return read_comparison(
    [
      write('ar', 'AR', error=0.3),
      write('ddpm', 'DDPM', error=0.1),
      write('ddpm-1', 'DDPM', error=0.1, seed=1),
      write('again', 'AR again', error=0.3),
    ]
  )


@pytest.fixture(scope='module')
def table(comparison):
  return summarise(comparison, draws=300)


def test_a_value_is_the_mean_over_songs_and_seeds(comparison, table):
  cell = table.cells['DDPM']['mel_l1']
  values = comparison.values(comparison.row('DDPM'))['mel_l1']
  assert cell.found.value == pytest.approx(values.mean())
  assert cell.seeds == pytest.approx(values.mean(axis=1))
  assert cell.over_seeds == pytest.approx(np.std(values.mean(axis=1), ddof=1))
  assert cell.songs == 8


def test_a_difference_is_marked_only_where_there_is_one(table):
  assert table.baseline == 'AR'
  assert table.cells['DDPM']['mel_l1'].difference.excludes_zero
  assert table.cells['DDPM']['logmel_stats_frechet'].difference.excludes_zero
  assert not any(cell.difference.excludes_zero for cell in table.cells['AR again'].values() if cell.difference)
  assert all(cell.difference is None for name in ('AR', 'ground truth') for cell in table.cells[name].values())


def test_pooled_distances_are_of_all_windows(comparison, table):
  run = comparison.row('AR').runs[0]
  windows = [read_embeddings(run.folder, song) for song in comparison.songs]
  first, second = (np.concatenate([song[f'{system}/logmel_stats'] for song in windows]) for system in ('target', 'prediction'))
  cell = table.cells['AR']['logmel_stats_frechet']
  assert cell.found.value == pytest.approx(frechet_distance(first, second))
  assert (cell.windows, cell.dimensions) == (16, 8)
  assert 'logmel_stats_frechet' not in table.cells['ground truth']


def test_without_the_bias_of_few_windows_there_is_a_value_if_asked_for_and_no_interval(comparison, table):
  run = comparison.row('AR').runs[0]
  windows = [read_embeddings(run.folder, song) for song in comparison.songs]
  first, second = (np.concatenate([song[f'{system}/logmel_stats'] for song in windows]) for system in ('target', 'prediction'))
  cell = summarise(comparison, draws=100, infinite=True).cells['AR']['logmel_stats_frechet_infinite']
  assert cell.found.value == pytest.approx(frechet_at_infinity(first, second))
  assert np.isnan(cell.found.low)
  assert 'logmel_stats_frechet_infinite' not in table.cells['AR']


def test_the_reference_is_that_of_the_evaluations(comparison, table):
  run = comparison.row('AR').runs[0]
  of_evaluation = pool(run.folder, read_songs(run.folder), ['logmel_stats'])['windows']['logmel_stats']['reference']
  assert table.references == {'logmel_stats': of_evaluation}


def test_speed_is_seconds_for_a_second_and_cost_stands_beside_it(table):
  cells = table.cells['AR']
  assert cells['inverter_seconds'].found.value == pytest.approx(0.02)
  assert 0.1 < cells['spectrogram_seconds'].found.low < cells['spectrogram_seconds'].found.high < 0.2
  assert 0 < cells['parameters'].found.value < 1
  assert 'training_minutes' not in cells  # the run is not here


def test_columns_come_in_groups(table):
  groups = [measure.group for measure in table.measures]
  assert groups == sorted(groups, key=groups.index)
  assert groups[0] == 'Spectral'
  assert groups[-1] == 'Speed and cost'


def test_few_songs_and_few_windows_are_told(table, tmp_path):
  assert table.warnings == ('8 songs: intervals from so few are narrower than they should be. Take marked differences as hints.',)
  one = summarise(read_comparison([write_evaluation_of_tones(tmp_path / 'one', songs=1, seconds=3)]), draws=100)
  assert [warning.split(':')[0] for warning in one.warnings] == ['One song', 'logmel_stats']
  assert '3 windows are fewer than its 8 dimensions' in one.warnings[1]
  assert one.cells['ddpm']['mel_l1'].found.low != one.cells['ddpm']['mel_l1'].found.low  # NaN


def test_the_result_is_of_the_seed(comparison):
  first, again, other = (summarise(comparison, draws=100, seed=seed).cells['AR']['mel_l1'].found for seed in (1, 1, 2))
  assert first == again
  assert first != other
