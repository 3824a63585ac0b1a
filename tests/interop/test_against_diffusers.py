"""The same model here and in diffusers itself.  Slow, and skipped where there is no diffusers."""

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.interop.diffusers_folder import write_diffusers
from mt3_synth.interop.loading import load_model
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import make_model

PYTHON = os.environ.get('DIFFUSERS_PYTHON', sys.executable)
HOW = (
  'diffusers is not installed: make an environment apart with `pip install diffusers==0.36.0 transformers==4.45.2 torch note-seq '
  'onnxruntime` and set DIFFUSERS_PYTHON to its python'
)
pytestmark = pytest.mark.slow


@functools.cache
def has_diffusers() -> bool:
  return not subprocess.run([PYTHON, '-c', 'import diffusers, torch, note_seq, onnxruntime'], capture_output=True).returncode


def diffusers_side(*words) -> dict[str, np.ndarray]:
  script = Path(__file__).with_name('diffusers_side.py')
  run = subprocess.run([PYTHON, str(script), *map(str, words)], capture_output=True, text=True)
  assert run.returncode == 0, run.stderr[-2000:]
  return dict(np.load(f'{words[2]}.out.npz'))


@pytest.fixture
def inputs(tmp_path) -> Path:
  """Two segments: one without context, one with a whole one.  (Of less than a whole context diffusers' positions are faulty.)"""
  if not has_diffusers():
    pytest.skip(HOW)
  rng = np.random.default_rng(1)
  tokens = rng.integers(3, 1400, (2, 64))
  tokens[0, 40:] = 0
  mask = np.array([[False] * 16, [True] * 16])
  context = rng.uniform(-1, 1, (2, 16, 128)).astype(np.float32)
  z = rng.normal(size=(2, 16, 128)).astype(np.float32)
  np.savez(tmp_path / 'inputs.npz', tokens=tokens, context=context, mask=mask, z=z, time=np.array([0.3, 0.999], np.float32))
  return tmp_path / 'inputs.npz'


@pytest.mark.parametrize('max_noise_time', [20000, 2000])
def test_a_model_of_diffusers_gives_the_same_here_and_back_there(tmp_path, inputs, max_noise_time):
  there = diffusers_side('write', tmp_path / 'theirs', inputs, max_noise_time)
  config, params, _ = load_model(tmp_path / 'theirs')
  given, network = np.load(inputs), make_model(config).network
  tokens, context, mask = (jnp.asarray(given[name]) for name in ('tokens', 'context', 'mask'))
  with jax.default_matmul_precision('highest'):
    output: Any = network.apply({'params': params}, given['z'], given['time'], Conditions(tokens, context, mask))
    bound = network.bind({'params': params})
    notes, is_note = bound.token_encoder(tokens, True)
    encoded = bound.continuous_encoder(context, mask, True)
  assert_allclose(notes[is_note], there['notes'][is_note], atol=1e-5)
  assert_allclose(encoded[1], there['context'][1], atol=1e-5)
  assert_allclose(output, there['output'], atol=1e-4)

  write_diffusers(tmp_path / 'ours', config, params)
  back = diffusers_side('run', tmp_path / 'ours', inputs)
  for name, x in there.items():
    assert_allclose(back[name], x, atol=1e-6)


def test_weights_that_diffusers_pickled(tmp_path, inputs):
  diffusers_side('write', tmp_path / 'theirs', inputs, 20000, 'bin')
  read = (
    'import sys; from pathlib import Path; from mt3_synth.interop.torch_weights import read_torch_weights as r; '
    f'print(r(Path({str(tmp_path)!r}) / "theirs" / "decoder" / "diffusion_pytorch_model.bin")["spec_out.weight"].shape)'
  )
  run = subprocess.run([PYTHON, '-c', read], capture_output=True, text=True, cwd=Path(__file__).parents[2])
  assert run.stdout == '(128, 32)\n', run.stderr
