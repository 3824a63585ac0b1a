"""What is said of all songs together: means over songs, distances over windows, and what they rest on."""

import numpy as np
import pytest

from mt3_synth.errors import InputWarning
from mt3_synth.evaluation import pooled, records
from mt3_synth.evaluation.frechet import frechet_at_infinity, frechet_distance
from mt3_synth.evaluation.kernel_distance import kernel_distance
from mt3_synth.evaluation.pooled import pool
from mt3_synth.evaluation.records import SongResult
from tests.evaluation.test_records import evaluation


@pytest.fixture
def written(tmp_path):
  """A folder of three songs and one that failed, and their embeddings by system."""
  ids = ('a', 'b', 'c', 'd')
  records.write_evaluation(tmp_path, evaluation(ids))
  rng = np.random.default_rng(0)
  rows = {system: [] for system in records.SYSTEMS}
  for number, song in enumerate(ids[:3]):
    of_song = {}
    for shift, system in enumerate(records.SYSTEMS):
      of_song[system] = rng.normal(size=(10 * number + 1, 4)).astype(np.float32) + shift
      rows[system].append(of_song[system])
    records.write_embeddings(tmp_path, song, {f'{system}/x': each for system, each in of_song.items()})
    metrics = {'mel_l1': float(number), 'chroma_cosine_distance': None if number == 0 else 0.5}
    systems = {system: {'metrics': metrics if system != 'target' else {}} for system in records.SYSTEMS}
    records.write_song(tmp_path, SongResult(song, 'ok', seconds=10.0, systems=systems, time={'spectrogram': 5.0, 'inverter': 1.0}))
  records.write_song(tmp_path, SongResult('d', 'failed', 'too long'))
  return tmp_path, {system: np.concatenate(each) for system, each in rows.items()}


def test_means_are_over_songs_and_distances_over_all_windows(written):
  folder, rows = written
  found = pool(folder, records.read_songs(folder), ['x'], infinite=True)
  assert (found['songs'], found['failed'], found['seconds']) == (3, 1, 30)
  assert found['speed'] == {'spectrogram': 0.5, 'inverter': 0.1}
  prediction = found['systems']['prediction']
  assert (prediction['mel_l1'], prediction['chroma_cosine_distance']) == (1, 0.5)  # of those that have it
  assert prediction['x_frechet'] == pytest.approx(frechet_distance(rows['target'], rows['prediction']))
  assert prediction['x_frechet_paper'] == pytest.approx(frechet_distance(rows['target'], rows['prediction'], 'paper'))
  assert prediction['x_kad'] == pytest.approx(kernel_distance(rows['target'], rows['prediction']))
  assert prediction['x_frechet_infinite'] == pytest.approx(frechet_at_infinity(rows['target'], rows['prediction']))
  assert prediction['x_frechet'] > found['systems']['ceiling']['x_frechet']  # it is farther from the target here
  windows = found['windows']['x']
  assert (windows['n'], windows['dimensions'], windows['few'], len(windows['reference'])) == (33, 4, False, 16)


def test_of_very_many_windows_some_are_taken_for_the_kernel_distance(written, monkeypatch):
  folder, _ = written
  whole = pool(folder, records.read_songs(folder), ['x'])['systems']['prediction']
  monkeypatch.setattr(pooled, 'MOST_WINDOWS', 12)
  some = pool(folder, records.read_songs(folder), ['x'])['systems']['prediction']
  assert some['x_kad'] != whole['x_kad']
  assert some['x_frechet'] == whole['x_frechet']


def test_what_can_not_be_had_is_told_and_all_else_is_there(written):
  folder, _ = written
  (folder / 'songs' / 'b.npz').unlink()
  with pytest.warns(InputWarning, match='x: no distance of all songs .*b.npz: no such file'):
    found = pool(folder, records.read_songs(folder), ['x'])
  assert found['windows'] == {}
  assert found['systems']['prediction']['mel_l1'] == 1
