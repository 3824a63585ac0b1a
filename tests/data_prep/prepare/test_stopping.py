"""A preparation that is killed or interrupted, as a process of its own, goes on and ends with the same bytes."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from data_prep.prepare.job import prepare
from data_prep.prepare.local import write_locally
from data_prep.prepare.plan import make_plan
from data_prep.prepare.shard import REPORTS
from tests.data_prep.prepare.made_up import CORPUS, files

ROOT = Path(__file__).parents[3]
OPTIONS = {'slow': 0.02}  # time to be killed in
PREPARE = f"""
if __name__ == '__main__':  # its workers import this file too
  import sys
  from functools import partial
  from pathlib import Path
  from data_prep.prepare.job import prepare
  from data_prep.prepare.local import write_locally
  from data_prep.prepare.plan import make_plan
  from tests.data_prep.prepare.made_up import CORPUS

  source, out, workers = sys.argv[1:]
  prepare(make_plan(CORPUS, source, options={OPTIONS}), Path(out), partial(write_locally, workers=int(workers)))
"""


@pytest.fixture(scope='module')
def expected(tmp_path_factory):
  source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('out')
  return files(prepare(make_plan(CORPUS, source, options=OPTIONS), out, partial(write_locally, workers=1)).folder)


@pytest.fixture
def start(tmp_path):
  """Gives a function that starts a preparation in a process of its own."""
  (tmp_path / 'source').mkdir()
  script = tmp_path / 'prepare.py'
  script.write_text(PREPARE)
  environment = os.environ | {'PYTHONPATH': str(ROOT)}
  command = [sys.executable, str(script), str(tmp_path / 'source'), str(tmp_path / 'out')]
  return lambda workers: subprocess.Popen([*command, str(workers)], env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def finished_files(out: Path) -> int:
  return len(list(out.rglob(f'{REPORTS}/*.json')))


def wait_for_files(out: Path, process: subprocess.Popen, more: int) -> None:
  """Until a preparation finished so many files more, or ended."""
  wanted = finished_files(out) + more
  deadline = time.monotonic() + 60
  while finished_files(out) < wanted and process.poll() is None:
    assert time.monotonic() < deadline
    time.sleep(0.005)


@pytest.mark.parametrize('workers', [1, 2])
def test_a_killed_run_ends_with_the_same_bytes(start, tmp_path, expected, workers):
  out = tmp_path / 'out'
  kills = 0
  for delay in (0.0, 0.013):
    process = start(workers)
    wait_for_files(out, process, 2)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kills += process.returncode == -signal.SIGKILL
  assert kills
  process = start(workers)
  assert process.communicate()[1] == ''
  assert files(out / 'made_up' / 'default' / '1.0.0') == expected


def test_ctrl_c_leaves_neither_processes_nor_half_files(start, tmp_path, expected):
  out = tmp_path / 'out'
  process = start(2)
  wait_for_files(out, process, 2)
  children = _children(process.pid)
  assert len(children) >= 2
  process.send_signal(signal.SIGINT)
  _, told = process.communicate(timeout=30)
  assert 'KeyboardInterrupt' in told
  assert 'Error' not in told
  deadline = time.monotonic() + 20  # Python's own tracker of resources ends after its parent
  while any(_alive(each) for each in children) and time.monotonic() < deadline:
    time.sleep(0.05)
  assert not any(_alive(each) for each in children)
  assert not list(out.rglob('*.part'))
  process = start(2)
  process.communicate()
  assert files(out / 'made_up' / 'default' / '1.0.0') == expected


def _children(pid: int) -> list[int]:
  if not sys.platform.startswith('linux'):
    pytest.skip('processes are listed by /proc')
  return [int(child) for task in Path(f'/proc/{pid}/task').iterdir() for child in (task / 'children').read_text().split()]


def _alive(pid: int) -> bool:
  try:
    return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
  except OSError:
    return False
