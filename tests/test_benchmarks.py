import json

import pytest

from benchmarks import __main__ as runner
from benchmarks import features


def test_the_report_says_where_when_and_what(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(features, 'run', lambda: {'hours': 1234.5, 'ratio': 0.123456})
  assert runner.main(['features', '--out', str(tmp_path / 'new' / 'report.json')]) == 0
  report = json.loads((tmp_path / 'new' / 'report.json').read_text())
  assert {'command', 'date', 'device', 'cpu', 'versions', 'results'} == set(report)
  assert report['results']['features']['ratio'] == 0.123456
  assert '0.1235' in capsys.readouterr().out


def test_one_that_fails_does_not_stop_the_others(monkeypatch, capsys):
  def fail():
    raise MemoryError('too large')

  from benchmarks import griffin_lim

  monkeypatch.setattr(features, 'run', fail)
  monkeypatch.setattr(griffin_lim, 'run', lambda: {'ratio': 2})
  assert runner.main(['features', 'griffin_lim']) == 1
  printed = capsys.readouterr()
  assert 'too large' in printed.err
  assert 'ratio' in printed.out


def test_an_unknown_name_is_refused(capsys):
  with pytest.raises(SystemExit):
    runner.main(['nothing'])
  assert 'there are features, griffin_lim' in capsys.readouterr().err
