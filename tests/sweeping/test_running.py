"""Sweeps of fake verbs through submitit, killed in every way."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mt3_synth.errors import InputError
from mt3_synth.sweeping.executors import Executor
from mt3_synth.sweeping.job import alone_in
from mt3_synth.sweeping.progress import steps_done
from mt3_synth.sweeping.record import is_done
from tests.sweeping.fakes import ROOT, cells, sweep

pytest.importorskip('submitit')


def lines(cell):
  return [json.loads(line) for line in (cell.folder / 'metrics.jsonl').read_text().splitlines()]


def wait_until(condition, seconds=20.0):
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.05)


def test_failures_are_listed_and_the_rest_is_done(tmp_path, monkeypatch, capfd):
  monkeypatch.setenv('FAILS', 'ar-0')
  failures = sweep(tmp_path, 3)
  assert [str(failure) for failure in failures] == [f'ar-0: train failed: the corpus is gone ({tmp_path}/ar-0/train.log)']
  assert [is_done(cell) for cell in cells(tmp_path, 3)] == [False, True]
  before = lines(cells(tmp_path, 3)[1])
  monkeypatch.delenv('FAILS')
  assert sweep(tmp_path, 3) == []
  assert lines(cells(tmp_path, 3)[1]) == before
  assert '1 of 2 cells are done already' in capfd.readouterr().err


@pytest.mark.parametrize('kill', [signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_sweep_that_is_killed_leaves_nothing_behind_and_goes_on(tmp_path, kill):
  steps = 150
  both = cells(tmp_path, steps)
  command = [sys.executable, '-m', 'tests.sweeping.fakes', str(tmp_path), str(steps)]
  process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
  wait_until(lambda: all(map(steps_done, both)))
  if kill == signal.SIGINT:
    os.killpg(process.pid, kill)  # as a terminal does
  else:
    process.send_signal(kill)
  process.wait(20)
  wait_until(lambda: not any(map(alive, both)))
  reached = [len(lines(cell)) for cell in both]
  assert max(reached) < steps
  time.sleep(0.2)
  assert [len(lines(cell)) for cell in both] == reached
  assert sweep(tmp_path, steps) == []
  for cell in both:
    assert is_done(cell)
    assert [line['step'] for line in lines(cell)] == list(range(1, steps + 1))
    assert len({line['process'] for line in lines(cell)}) == 2


def alive(cell):
  try:
    os.kill(lines(cell)[-1]['process'], 0)
  except ProcessLookupError:
    return False
  return True


def test_jobs_see_the_gpus_that_the_sweep_does(tmp_path, monkeypatch):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5')
  sweep(tmp_path, 1)
  assert lines(cells(tmp_path, 1)[0])[0]['gpus'] == '5'


def test_two_sweeps_in_one_folder_are_refused(tmp_path, monkeypatch):
  monkeypatch.setattr('mt3_synth.sweeping.running._PATIENCE', 0.0)
  with alone_in(tmp_path), pytest.raises(InputError, match='another sweep runs in this folder'):
    sweep(tmp_path, 1)


def test_a_cell_is_one_process(tmp_path):
  with pytest.raises(InputError, match='SweepConfig.resources: nodes is 2, expected 1'):
    Executor('local', tmp_path, {'nodes': 2})


def test_unknown_resources_are_told(tmp_path):
  with pytest.raises(InputError, match='SweepConfig.resources: .*gpu_count') as error:
    Executor('local', tmp_path, {'gpu_count': 1})
  assert '\n' not in str(error.value)


def test_slurm_must_be_there(tmp_path, monkeypatch):
  monkeypatch.setenv('PATH', str(tmp_path))
  with pytest.raises(InputError, match='--executor slurm: Could not detect "srun"'):
    Executor('slurm', tmp_path, {})
