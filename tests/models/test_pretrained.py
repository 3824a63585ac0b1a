"""Models on disk: what is saved is loaded, and what is damaged is named."""

import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import safetensors.numpy
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth import cli
from mt3_synth.config import to_json
from mt3_synth.errors import InputError
from mt3_synth.models import pretrained
from mt3_synth.models.pretrained import load_pretrained, save_pretrained
from mt3_synth.training.checkpoints import Checkpoints
from mt3_synth.training.step import new_state
from tests.data.tiny import tiny_model, tiny_params

CONFIG = tiny_model('aligned')


@pytest.fixture(scope='module')
def params():
  return tiny_params('aligned')


@pytest.fixture
def folder(params, tmp_path):
  save_pretrained(tmp_path / 'model', CONFIG, params)
  return tmp_path / 'model'


@pytest.fixture
def run(params, tmp_path):
  """A run's folder with checkpoints of steps 1 and 2; the average of step 2 is twice the parameters."""
  folder = tmp_path / 'run'
  folder.mkdir()
  (folder / 'config.json').write_text(to_json(CONFIG))
  params = jax.tree.map(jnp.asarray, params)
  state: Any = new_state(params, optax.sgd(0.1))
  with Checkpoints(folder, keep=2) as checkpoints:
    checkpoints.save(state.replace(step=state.step + 1), {})
    checkpoints.save(state.replace(step=state.step + 2, ema=jax.tree.map(lambda x: 2 * x, params)), {})
  return folder


def refused(folder, says):
  with pytest.raises(InputError, match=says) as error:
    load_pretrained(folder)
  assert '\n' not in str(error.value)
  return str(error.value)


def names(folder):
  return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_is_loaded(folder, params):
  config, loaded = load_pretrained(str(folder))
  assert config == CONFIG
  jax.tree.map(lambda a, b: assert_array_equal(a, b.astype(np.float16).astype(np.float32)), loaded, params)
  assert {x.dtype for x in jax.tree.leaves(loaded)} == {np.dtype(np.float32)}
  weights = sum(x.size for x in jax.tree.leaves(params)) * 2
  assert weights < (folder / 'model.safetensors').stat().st_size < weights + 10000
  assert names(folder) == ['config.json', 'model.safetensors']


def test_float32_loses_nothing(params, tmp_path):
  save_pretrained(tmp_path, CONFIG, params, 'float32')
  jax.tree.map(assert_array_equal, load_pretrained(tmp_path)[1], params)


def test_other_files_in_the_folder_are_kept(params, folder):
  (folder / 'README.md').write_text('a card')
  save_pretrained(folder, CONFIG, params)
  assert names(folder) == ['README.md', 'config.json', 'model.safetensors']


def test_a_run_gives_the_average_of_its_newest_checkpoint(run, params):
  config, loaded = load_pretrained(run)
  assert config == CONFIG
  jax.tree.map(lambda a, b: assert_allclose(a, 2 * b), loaded, params)


def test_the_export_verb_makes_a_small_folder_of_a_run(run, params, tmp_path, capsys):
  assert cli.main(['export', str(run), '--out', str(tmp_path / 'small'), '--dtype', 'float32']) == 0
  assert capsys.readouterr().out == f'{tmp_path / "small"}\n'
  jax.tree.map(lambda a, b: assert_allclose(a, 2 * b), load_pretrained(tmp_path / 'small')[1], params)
  assert cli.main(['export', str(tmp_path / 'nowhere'), '--out', str(tmp_path / 'other')]) == 2
  assert not (tmp_path / 'other').exists()


def test_a_folder_that_is_no_model_is_named(tmp_path):
  refused(tmp_path / 'nowhere', 'nowhere: no such folder')
  (tmp_path / 'file').touch()
  refused(tmp_path / 'file', 'file: no such folder')
  refused(tmp_path, 'has no config.json')
  (tmp_path / 'config.json').write_text(to_json(CONFIG))
  refused(tmp_path, 'neither model.safetensors nor a finished checkpoint')


@pytest.mark.parametrize(
  ('text', 'says'),
  [
    (to_json(CONFIG)[:100].encode(), r'config\.json: not JSON'),
    (b'{"netwrok": {}}', r'config\.json: unknown field netwrok'),
    (b'\xff\xfe', r'config\.json: unreadable'),
  ],
)
def test_a_damaged_configuration_is_named(folder, text, says):
  (folder / 'config.json').write_bytes(text)
  refused(folder, says)


@pytest.mark.parametrize('kept', [0, 5, 1000, -100])
def test_truncated_weights_are_named(folder, kept):
  file = folder / 'model.safetensors'
  file.write_bytes(file.read_bytes()[:kept])
  refused(folder, r'model\.safetensors: unreadable or cut short')


def test_weights_of_another_size_name_the_parameter(folder):
  (folder / 'config.json').write_text(to_json(tiny_model('aligned', mlp_dim=48)))
  said = refused(folder, r'parameter continuous_encoder/layers_0/mlp/wi_0/kernel has shape \(16, 32\), config\.json expects \(16, 48\)')
  assert 'model.safetensors' in said


def test_a_parameter_too_few_or_too_many_is_named(folder):
  weights = safetensors.numpy.load_file(folder / 'model.safetensors')
  first = sorted(weights)[0]
  safetensors.numpy.save_file({name: x for name, x in weights.items() if name != first}, folder / 'model.safetensors')
  refused(folder, rf'parameter {first} has shape \(missing\)')
  safetensors.numpy.save_file(weights | {'extra': np.zeros(3, np.float32)}, folder / 'model.safetensors')
  refused(folder, r'parameter extra has shape \(3,\), config\.json expects none of that name')


def test_an_unfinished_checkpoint_is_passed_over(run, params):
  (run / 'checkpoints' / '2').rename(run / 'checkpoints' / '2.orbax-checkpoint-tmp')
  jax.tree.map(assert_allclose, load_pretrained(run)[1], params)
  (run / 'checkpoints' / '1').rename(run / 'checkpoints' / '1.orbax-checkpoint-tmp')
  refused(run, 'run: has neither model.safetensors nor a finished checkpoint')


LOST = {
  'index': 'manifest.ocdbt',
  'values': 'ocdbt.process_0/d/*',
}


@pytest.mark.parametrize('which', LOST)
def test_a_damaged_checkpoint_is_named(run, which):
  for file in (run / 'checkpoints' / '2' / 'ema').glob(LOST[which]):
    file.unlink()
  said = refused(run, 'checkpoints/2/ema: damaged')
  assert len(said) < 500


def test_a_damaged_checkpoint_is_named_and_nothing_is_written(run, tmp_path):
  for file in (run / 'checkpoints' / '2' / 'ema' / 'ocdbt.process_0' / 'd').iterdir():
    file.unlink()
  command = [sys.executable, '-m', 'mt3_synth.cli', 'export', str(run), '--out', str(tmp_path / 'small')]
  export = subprocess.run(command, capture_output=True, text=True)
  assert export.returncode == 2
  assert export.stderr.startswith(f'mt3-synth export: error: {run}/checkpoints/2/ema: damaged')
  assert export.stderr.count('\n') == 1
  assert not (tmp_path / 'small').exists()


def test_an_empty_checkpoint_is_named(run):
  (run / 'checkpoints' / '3').mkdir()
  refused(run, 'checkpoints/3/ema: damaged')


def test_a_failed_save_leaves_nothing_behind(params, tmp_path, monkeypatch):
  (tmp_path / 'file').touch()
  with pytest.raises(InputError, match='give a folder that can be written'):
    save_pretrained(tmp_path / 'file' / 'model', CONFIG, params)

  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(pretrained.os, 'replace', full)
  with pytest.raises(InputError, match='model: No space left on device'):
    save_pretrained(tmp_path / 'model', CONFIG, params)
  assert names(tmp_path) == ['file']


def test_a_failed_save_keeps_the_old_model(folder, params, monkeypatch):
  def interrupt(*_):
    raise KeyboardInterrupt

  monkeypatch.setattr(pretrained, 'to_json', interrupt)
  with pytest.raises(KeyboardInterrupt):
    save_pretrained(folder, CONFIG, jax.tree.map(lambda x: 0 * x, params))
  assert names(folder) == ['config.json', 'model.safetensors']
  assert np.abs(jax.tree.leaves(load_pretrained(folder)[1])[0]).max() > 0
