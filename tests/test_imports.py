"""The direction of imports, read from the source: a wrong import fails with its file and line."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the bottom up.  A module imports from its own package and from lower layers.  A module that is not named here is a verb, on top.
LAYERS = (
  {'errors'},
  {'config', 'compilation', 'instruments', 'pages'},
  {'notes', 'audio', 'diffusion', 'rendering'},
  {'models', 'data'},
  {'inverter'},
  {'interop', 'training', 'playing', 'plots', 'demo_page'},
  {'pipeline'},
  {'evaluation'},
  {'sweeping', 'reporting'},
  {'gin_files'},
  {'prepare', 'train', 'synthesize', 'render', 'export', 'evaluate', 'sweep', 'inspect', 'report', 'listen'},
)
TOP = len(LAYERS)
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}

# Who may import what; a folder stands for all that is in it.
ONLY_IN = {
  'gin': {'gin_files.py', 'interop/gin_text.py'},
  'soundfile': {'audio/files.py', 'rendering'},
  'note_seq': {'notes/note_sequence.py'},
  'safetensors': {'models/pretrained.py', 'interop/diffusers_folder.py'},
  'tensorstore': {'models/stored_arrays.py'},
  'msgpack': {'interop/t5x.py'},
  'torch': {'interop/torch_weights.py'},
  'diffusers': set(),
  't5x': {'interop/t5x_model.py'},
  'clu': {'interop/t5x_model.py'},
  'huggingface_hub': {'interop/hub.py'},
  'onnxruntime': {'inverter/onnx.py'},
  'matplotlib': {'plots.py'},
  'tensorflow': {'data/tasks', 'inverter/saved_model.py', 'evaluation/saved_model_embedder.py'},
  'seqio': {'data/tasks'},
  'apache_beam': {'evaluation/on_beam.py'},
  'mir_eval': {'evaluation/transcription.py'},
  'data_prep': {'prepare.py'},
  'submitit': {'sweeping/executors.py', 'sweeping/job.py'},
  'tests': set(),
  'benchmarks': set(),
}
NEVER_IN = {
  'notes': {'jax', 'flax', 'optax', 'orbax'},
  'data/songs.py': {'jax', 'flax'},
  'audio/files.py': {'jax'},
  'rendering': {'jax', 'flax'},
  'diffusion': {'flax', 'optax', 'orbax'},
  'inverter': {'optax', 'orbax'},
  'sweeping': {'jax', 'flax', 'gin'},
}


def imports(file: Path, root: Path) -> Iterator[tuple[int, str]]:
  """(line, module) of every import of a file, those inside functions too.  `root` holds the package mt3_synth."""
  package = file.relative_to(root).with_suffix('').parts[:-1]
  for node in ast.walk(ast.parse(file.read_text())):
    if isinstance(node, ast.Import):
      yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      base = '.'.join([*(package[: len(package) - node.level + 1] if node.level else ()), *([node.module] if node.module else [])])
      yield from ((node.lineno, f'{base}.{alias.name}') for alias in node.names)


def faults(root: Path) -> list[str]:
  """What is wrong with the imports of root/mt3_synth, one line each."""
  found = []
  for file in sorted((root / 'mt3_synth').rglob('*.py')):
    path = file.relative_to(root / 'mt3_synth')
    own = path.parts[0].removesuffix('.py')
    for line, module in imports(file, root):
      top, *rest = module.split('.')
      where = f'mt3_synth/{path}:{line}: imports {module}'
      if top == 'mt3_synth' and rest and rest[0] != own and HEIGHT.get(rest[0], TOP) >= HEIGHT.get(own, TOP):
        found.append(f'{where}, which is not below it')
      if top in ONLY_IN and not any(path.is_relative_to(home) for home in ONLY_IN[top]):
        found.append(f'{where}, which only {sorted(ONLY_IN[top]) or "nothing"} may')
      if any(path.is_relative_to(place) and top in names for place, names in NEVER_IN.items()):
        found.append(f'{where}, which it must do without')
  return found


def test_imports_point_one_way():
  assert faults(ROOT) == []


@pytest.mark.parametrize(
  ('file', 'line', 'says'),
  [
    ('notes/codec.py', 'from mt3_synth.models.layers import Dense', 'notes/codec.py:2: imports mt3_synth.models.layers.Dense'),
    ('models/layers.py', 'from mt3_synth import training', 'models/layers.py:2: imports mt3_synth.training'),
    ('data/songs.py', 'from ..models import layers', 'data/songs.py:2: imports mt3_synth.models.layers'),
    ('config.py', 'def f():\n  import mt3_synth.notes', 'config.py:3: imports mt3_synth.notes'),
    ('pipeline.py', 'from mt3_synth.train import train', 'pipeline.py:2: imports mt3_synth.train.train'),
    ('training/step.py', 'import gin', "training/step.py:2: imports gin, which only ['gin_files.py', 'interop/gin_text.py'] may"),
    ('audio/mel.py', 'import soundfile as sf', 'audio/mel.py:2: imports soundfile'),
    ('models/a.py', 'import seqio.metrics', "models/a.py:2: imports seqio.metrics, which only ['data/tasks'] may"),
    ('train.py', 'from data_prep.compose import melody', 'train.py:2: imports data_prep.compose.melody'),
    ('diffusion/process.py', 'from flax import linen', 'diffusion/process.py:2: imports flax.linen, which it must do without'),
  ],
)  # fmt: skip
def test_a_wrong_import_is_told_with_its_line(tmp_path, file, line, says):
  path = tmp_path / 'mt3_synth' / file
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(f'"""A module."""\n{line}\n')
  (fault,) = faults(tmp_path)
  assert fault.startswith(f'mt3_synth/{says}')


def test_a_right_import_is_no_fault(tmp_path):
  path = tmp_path / 'mt3_synth' / 'models' / 'a.py'
  path.parent.mkdir(parents=True)
  path.write_text('import jax\nfrom mt3_synth.models.layers import Dense\nfrom . import layers\nfrom mt3_synth.diffusion import loss\n')
  assert faults(tmp_path) == []


def loaded_by(code: str) -> set[str]:
  """Top-level modules a fresh interpreter holds after `code`."""
  code += '\nimport sys; print("LOADED", *sorted({name.split(".")[0] for name in sys.modules}))'
  run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=ROOT)
  return set(run.stdout.rpartition('LOADED')[2].split())


HEAVY = {'jax', 'jaxlib', 'flax', 'tensorflow', 'gin', 'matplotlib', 'note_seq'}


def test_the_package_and_its_notes_load_neither_jax_nor_tensorflow():
  loaded = loaded_by('import mt3_synth\nassert "numpy" not in __import__("sys").modules\nimport mt3_synth.notes\nmt3_synth.read_midi')
  assert 'numpy' in loaded
  assert not loaded & HEAVY


def test_the_help_page_loads_next_to_nothing():
  loaded = loaded_by('from mt3_synth.cli import main\ntry: main(["--help"])\nexcept SystemExit: pass')
  assert not loaded & (HEAVY | {'numpy', 'tqdm', 'soundfile'})


def test_public_names_are_there():
  import mt3_synth

  assert all(getattr(mt3_synth, name).__name__ == name for name in mt3_synth.__all__)
  with pytest.raises(AttributeError, match="no attribute 'nothing'"):
    mt3_synth.nothing  # noqa: B018
