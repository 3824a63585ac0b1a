"""Slurm, as far as submitit sees it: its commands are played by scripts that run a job at once, in the background."""

import os
import stat
import subprocess
import sys
import time

import pytest

from mt3_synth.errors import InputError
from mt3_synth.sweeping.executors import Executor
from mt3_synth.sweeping.record import is_done
from tests.sweeping.fakes import ROOT, cells, sweep

pytest.importorskip('submitit')

SCRIPTS = {
  'srun': 'while [ "${1#--}" != "$1" ]; do [ "$1" = --output ] || [ "$1" = --error ] && shift; shift; done; exec "$@"',
  'sbatch': """id=$(($(cat "$QUEUE/last" 2>/dev/null || echo 0) + 1)); echo $id > "$QUEUE/last"
cp "$1" "$QUEUE/$id.sh"; SLURM_JOB_ID=$id SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 nohup sh -c "bash '$1'; rm '$QUEUE/$id.running'" \
  > "$QUEUE/$id.out" 2>&1 < /dev/null &
echo $! > "$QUEUE/$id.running"; echo "Submitted batch job $id" """,
  'squeue': 'cd "$QUEUE"; for job in *.running; do echo "${job%.running}"; done',
}


@pytest.fixture
def queue(tmp_path, monkeypatch):
  """A folder with the submitted scripts."""
  folder, binaries = tmp_path / 'queue', tmp_path / 'bin'
  folder.mkdir()
  binaries.mkdir()
  for name, script in SCRIPTS.items():
    (binaries / name).write_text(f'#!/bin/bash\n{script}\n')
    (binaries / name).chmod(stat.S_IRWXU)
  monkeypatch.setenv('PATH', f'{binaries}:{os.environ["PATH"]}')
  monkeypatch.setenv('QUEUE', str(folder))
  return folder


def test_cells_are_jobs_with_their_resources(tmp_path, queue):
  assert sweep(tmp_path / 'sweep', 3, 'slurm', slurm_partition='gpu', timeout_min=90) == []
  assert all(map(is_done, cells(tmp_path / 'sweep', 3)))
  scripts = [file.read_text() for file in sorted(queue.glob('*.sh'))]
  assert len(scripts) == 2
  assert all('--partition=gpu' in script and '--time=90' in script for script in scripts)


def test_jobs_go_on_without_the_sweep_which_finds_them_again(tmp_path, queue):
  out, steps = tmp_path / 'sweep', 100
  code = f'from pathlib import Path; from tests.sweeping.fakes import sweep; sweep(Path({str(out)!r}), {steps}, "slurm")'
  process = subprocess.Popen([sys.executable, '-c', code], cwd=ROOT, stderr=subprocess.DEVNULL)
  while len(list(queue.glob('*.sh'))) < 2 or not all((cell.folder / 'slurm_job').exists() for cell in cells(out, steps)):
    time.sleep(0.05)
  process.kill()
  process.wait()
  assert sweep(out, steps, 'slurm') == []
  assert all(map(is_done, cells(out, steps)))
  assert len(list(queue.glob('*.sh'))) == 2  # none was submitted again


def test_a_job_that_slurm_ends_is_a_failure(tmp_path, queue, monkeypatch):
  monkeypatch.setattr('mt3_synth.sweeping.executors._ASK_EVERY', 0.2)
  (tmp_path / 'bin' / 'srun').write_text('#!/bin/bash\nexit 1\n')  # the node is gone: no word of the job
  failures = sweep(tmp_path / 'sweep', 3, 'slurm')
  assert [(failure.cell.name, failure.error) for failure in failures] == [
    ('ar-0', 'ended without a word'),
    ('ddpm-0', 'ended without a word'),
  ]


def test_what_slurm_refuses_is_told(tmp_path, queue):
  (tmp_path / 'bin' / 'sbatch').write_text('#!/bin/bash\necho "invalid partition specified: gpu" >&2\nexit 1\n')
  with pytest.raises(InputError, match='ar-0: could not be submitted: .*invalid partition'):
    sweep(tmp_path / 'sweep', 3, 'slurm')


def test_minutes_have_a_default_longer_than_submitits(tmp_path, queue):
  assert Executor('slurm', tmp_path, {})._executor._executor.parameters['time'] == 60 * 24
