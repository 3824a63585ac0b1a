"""Nothing that kills a run changes how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_hundred_kills_change_nothing():
  command = [sys.executable, '-m', 'tests.training.kills', '--kills', '100']
  done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
  assert done.returncode == 0, done.stdout + done.stderr
  print(done.stdout)
