"""The gin files for T5X, as far as gin alone reads them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
READ = """
import sys, gin
for file in sys.argv[1:]:
  with gin.unlock_config():
    gin.clear_config(clear_constants=True)
    gin.parse_config_files_and_bindings(['gin_configs/t5x/configurables.gin', file], [], finalize_config=False)
"""


def test_t5x_reads_every_model_and_task_of_this_project():
  files = [str(file.relative_to(ROOT)) for folder in ('models', 'tasks') for file in (ROOT / 'gin_configs' / folder).rglob('*.gin')]
  assert len(files) > 20
  run = subprocess.run([sys.executable, '-c', READ, *files], cwd=ROOT, capture_output=True, text=True, check=False)
  assert run.returncode == 0, run.stderr
