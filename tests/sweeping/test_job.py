"""A cell's job, called in this process: its verbs are processes of their own."""

import json
import threading
import time

import pytest

from mt3_synth.sweeping.job import Job, SweepEnded, alone_in
from mt3_synth.sweeping.progress import fraction_done, songs_done, steps_done
from mt3_synth.sweeping.record import is_done, read_record
from tests.sweeping.fakes import PROGRAM, cells


@pytest.fixture
def cell(tmp_path):
  return cells(tmp_path, 3)[0]


def job(cell, **options):
  return Job(cell, cell.folder.parents[0], program=PROGRAM, **options)


def record_of(cell):
  record = read_record(cell)
  assert record
  return record


def processes(cell):
  return [json.loads(line)['process'] for line in (cell.folder / 'metrics.jsonl').read_text().splitlines()]


def test_a_cell_is_trained_evaluated_and_done(cell):
  assert fraction_done(cell, 3) == 0
  job(cell)()
  assert is_done(cell)
  assert (steps_done(cell), fraction_done(cell, 3)) == (3, 1.0)
  assert [songs_done(folder) for folder in cell.evaluations.values()] == [(2, 2), (2, 2)]
  assert set(record_of(cell).seconds) == {'train', 'evaluate-test', 'evaluate-validation'}


def test_a_verb_that_fails_is_recorded_with_its_last_line_and_tried_again(cell, monkeypatch):
  monkeypatch.setenv('FAILS', cell.name)
  job(cell)()
  record = record_of(cell)
  assert (record.status, record.verb, record.error) == ('failed', 'train', 'the corpus is gone')
  assert not (cell.folder / 'evaluations').exists()
  monkeypatch.delenv('FAILS')
  job(cell)()
  assert is_done(cell)


def test_an_evaluation_that_fails_does_not_keep_the_others_from_theirs(cell, monkeypatch):
  monkeypatch.setenv('FAILS', 'test')
  job(cell)()
  record = record_of(cell)
  assert (record.status, record.verb, record.error) == ('failed', 'evaluate-test', 'a song is gone')
  assert [songs_done(folder) for folder in cell.evaluations.values()] == [(0, 2), (2, 2)]
  assert set(record.seconds) == {'train', 'evaluate-test', 'evaluate-validation'}


def test_a_verb_that_is_killed_says_by_what(cell, monkeypatch):
  killed = ('sh', '-c', 'kill -KILL $$')
  Job(cell, cell.folder.parents[0], program=killed)()
  assert record_of(cell).error == 'ended by SIGKILL, most often for lack of memory'


def test_another_command_trains_on_and_evaluates_anew(cell):
  job(cell)()
  (cell.evaluations['test'] / 'songs' / 'stale.json').touch()
  longer = cells(cell.folder.parents[0], 5)[0]
  assert not is_done(longer)
  job(longer)()
  assert is_done(longer)
  assert steps_done(longer) == 5
  assert len(set(processes(longer))) == 2
  assert not (cell.evaluations['test'] / 'songs' / 'stale.json').exists()


def test_a_moved_sweep_is_still_done(cell, tmp_path):
  job(cell)()
  cell.folder.rename(tmp_path / 'moved')
  (tmp_path / 'elsewhere').mkdir()
  (tmp_path / 'moved').rename(tmp_path / 'elsewhere' / cell.name)
  assert is_done(cells(tmp_path / 'elsewhere', 3)[0])


def test_it_ends_with_its_sweep(tmp_path):
  cell = cells(tmp_path, 10_000)[0]
  with alone_in(tmp_path):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(pytest.raises(SweepEnded, job(cell, lock=tmp_path / '.lock'))))
    thread.start()
    while not steps_done(cell):
      time.sleep(0.05)
  thread.join(10)
  assert ended
  steps = steps_done(cell)
  time.sleep(0.1)
  assert steps_done(cell) == steps
  assert record_of(cell).status == 'running'


def test_two_never_work_in_one_folder(tmp_path):
  with alone_in(tmp_path) as descriptor:
    assert descriptor

    def refuse():
      raise TimeoutError

    with pytest.raises(TimeoutError), alone_in(tmp_path, refuse):
      pass
  with alone_in(tmp_path, refuse):
    pass
