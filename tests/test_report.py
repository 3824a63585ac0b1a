"""`mt3-synth report`: the files it writes, and what it says of bad input."""

import csv
import json
import re

import pytest

from mt3_synth.cli import main
from mt3_synth.evaluation.records import audio_file
from tests.reporting.evaluations import write_evaluation_of_tones


@pytest.fixture(scope='module')
def evaluations(tmp_path_factory):
  root = tmp_path_factory.mktemp('evaluations')
  write = lambda name, **more: str(write_evaluation_of_tones(root / name, name, songs=4, seconds=2, **more))
  return [write('AR', error=0.3), write('DDPM & <context>_1', failed=('group/tune 2',))]


@pytest.fixture(scope='module')
def report(evaluations, tmp_path_factory):
  out = tmp_path_factory.mktemp('report') / 'new' / 'report'
  assert main(['report', *evaluations, '--out', str(out), '--draws', '200', '--songs', '2', '--seconds', '1.5']) == 0
  return out


def page_data(folder):
  page = (folder / 'index.html').read_text()
  return json.loads(page.partition('id="data">')[2].partition('</script>')[0])


def test_metrics_json_says_how_each_value_came_about(report):
  told = json.loads((report / 'metrics.json').read_text())
  assert told['songs'] == ['group/tune 0', 'group/tune 1', 'group/tune 3']
  assert told['seconds'] == 6
  assert told['left_out'] == {'group/tune 2': 'DDPM & <context>_1: its audio holds NaN'}
  assert told['embedders'] == {'logmel_stats': '0123abcd'}
  assert told['metric_version'] == 1
  assert len(told['reference']['sha256']) == 64
  assert len(told['reference']['embeddings']['logmel_stats']) == 16
  assert told['bootstrap'] == {
    'level': 0.95, 'over': 'songs, the same draws for all', 'draws': 200, 'pooled_draws': 200, 'seed': 0,
  }  # fmt: skip
  target, ceiling, ar, ddpm = told['systems']
  assert [each['kind'] for each in told['systems']] == ['target', 'ceiling', 'model', 'model']
  (evaluation,) = ar['evaluations']
  assert evaluation['seed'] == 0
  assert evaluation['config']['network']['emb_dim'] == 16
  assert evaluation['code_version'] == '0.1.0'
  cell = ddpm['values']['logmel_stats_frechet']
  assert cell['windows'] == 6
  assert cell['low'] < cell['value'] < cell['high']
  assert cell['difference']['value'] == pytest.approx(cell['value'] - ar['values']['logmel_stats_frechet']['value'])
  assert list(target['values']) == ['transcription_basic_pitch_onset_f1']  # the recordings have no distance from themselves
  assert 0 < ceiling['values']['mel_l1']['value'] < ar['values']['mel_l1']['value']


def test_the_tables_agree_with_it(report):
  told = json.loads((report / 'metrics.json').read_text())
  with (report / 'summary.csv').open() as file:
    rows = {(row['system'], row['measure']): row for row in csv.DictReader(file)}
  for system in told['systems']:
    for key, cell in system['values'].items():
      assert float(rows[system['name'], key]['value']) == cell['value']
  with (report / 'per_song.csv').open() as file:
    songs = list(csv.DictReader(file))
  assert len(songs) == 3 * 4
  of_ar = [float(row['mel_l1']) for row in songs if row['system'] == 'AR']
  assert sum(of_ar) / 3 == pytest.approx(told['systems'][2]['values']['mel_l1']['value'])
  tex = (report / 'table.tex').read_text()
  assert r'DDPM \& <context>\_1' in tex
  assert tex.count(r'\\') == 5
  assert len({line.count(' & ') for line in tex.splitlines() if line.endswith(r'\\')}) == 1


def test_the_page_needs_nothing_but_the_files_beside_it(report):
  page = (report / 'index.html').read_text()
  assert not re.search(r'(?:src|href)="(?!#|")', page)
  assert 'http' not in page.replace('http://www.w3.org/2000/svg', '')
  assert '{{' not in page
  data = page_data(report)
  shown = [song['media'] for song in data['songs'] if 'media' in song]
  assert len(shown) == 2
  for media in shown:
    assert media['seconds'] == 1.5
    files = [media['roll'], *(system[kind] for system in media['systems'] for kind in ('mel', 'audio'))]
    assert len(files) == 9
    assert all((report / file).is_file() for file in files)
  assert data['systems'][3]['cells']['mel_l1']['better'] is True
  assert any('1 of 4 songs' in warning for warning in data['warnings'])


def test_what_is_missing_is_told_and_the_rest_is_there(tmp_path, capsys):
  folder = write_evaluation_of_tones(tmp_path / 'one', songs=2, seconds=1)
  audio_file(folder, 'group/tune 0', 'prediction').unlink()
  next((folder / 'songs').glob('*1.npz')).write_bytes(b'half')
  assert main(['report', str(folder), '--out', str(tmp_path / 'out'), '--draws', '100']) == 0
  said = capsys.readouterr().err
  assert 'prediction.flac: no such file; expected an audio file: check the path; the report goes without it' in said
  assert said.count('1.npz: damaged') == 1
  values = json.loads((tmp_path / 'out' / 'metrics.json').read_text())['systems'][2]['values']
  assert (values['logmel_stats_frechet']['songs'], values['logmel_stats_distance']['songs']) == (1, 2)
  media = page_data(tmp_path / 'out')['songs'][0]['media']
  assert [bool(system['audio']) for system in media['systems']] == [True, True, False]
  assert all(system['mel'] for system in media['systems'])


@pytest.mark.parametrize(
  ('options', 'says'),
  [
    (['--baseline', 'none'], "no model is called 'none'"),
    (['--names', 'a'], '1 names for 2 evaluations'),
    (['--draws', '1'], '--draws 1: expected at least 100'),
  ],
)
def test_bad_input_is_one_line(evaluations, tmp_path, capsys, options, says):
  assert main(['report', *evaluations, '--out', str(tmp_path / 'out'), *options]) == 2
  assert says in capsys.readouterr().err
  assert not (tmp_path / 'out').exists()
