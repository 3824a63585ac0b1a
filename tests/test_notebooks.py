"""The notebooks call the verbs, run from the first cell to the last, and are kept without what they print."""

import os
import re
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip('nbformat')

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / 'notebooks').glob('*.ipynb'))
SHORT = {'train': 'steps = 20', 'compare': 'steps = 10'}  # in place of the cell tagged `parameters`


def code(notebook):
  return [cell for cell in notebook.cells if cell.cell_type == 'code']


@pytest.fixture(params=NOTEBOOKS, ids=lambda file: file.stem)
def file(request):
  return request.param


def test_nothing_that_was_printed_is_kept(file):
  notebook = nbformat.read(file, as_version=4)
  nbformat.validate(notebook)
  for cell in code(notebook):
    assert (cell.outputs, cell.execution_count) == ([], None)


def test_the_work_is_done_by_verbs(file):
  sources = [cell.source for cell in code(nbformat.read(file, as_version=4))]
  assert any(re.search(r'^mt3-synth \w+', source, re.MULTILINE) for source in sources)
  imported = {name for source in sources for name in re.findall(r'^(?:from|import) (\w+)', source, re.MULTILINE)}
  assert imported <= {'mt3_synth', 'IPython', 'matplotlib', 'pathlib', 'json', 'csv'}
  assert not any('from mt3_synth' in source for source in sources)


@pytest.mark.slow
def test_it_runs(file, tmp_path, monkeypatch):
  nbclient = pytest.importorskip('nbclient')
  monkeypatch.setenv('PATH', f'{Path(sys.executable).parent}:{os.environ["PATH"]}')
  notebook = nbformat.read(file, as_version=4)
  for cell in code(notebook):
    if 'parameters' in cell.metadata.get('tags', ()):
      cell.source = SHORT[file.stem]
  nbclient.NotebookClient(notebook, timeout=1200, resources={'metadata': {'path': str(tmp_path)}}).execute()
  shown = [output for cell in code(notebook) for output in cell.outputs if output.output_type in ('display_data', 'execute_result')]
  assert shown
