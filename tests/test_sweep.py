"""The sweep verb: what it plans, refuses and returns.  What runs the cells, and the report, are fake here."""

import shlex
import subprocess
from collections import Counter
from typing import cast

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

import mt3_synth.sweep
from mt3_synth import cli
from mt3_synth.evaluation.records import Evaluation, write_evaluation
from mt3_synth.gin_files import read_gin
from mt3_synth.sweep import read_cell
from mt3_synth.sweeping.cells import expand
from mt3_synth.sweeping.config import SweepConfig
from mt3_synth.sweeping.running import Failure
from mt3_synth.training.learner import make_learner
from tests.test_gin_files import SWEEPS

SMALL = 'gin_configs/sweeps/ar_vs_ddpm.gin'


class Fake:
  """Evaluates cells at once, except those named in `failing`; keeps what it was asked for."""

  def __init__(self):
    self.cells, self.steps, self.reports, self.failing = [], {}, [], set()

  def run_cells(self, cells, steps, executor, out, at_once):
    self.cells, self.steps = cells, steps
    failures = [Failure(cell, 'train', 'no room', out / 'train.log') for cell in cells if cell.name in self.failing]
    for cell in cells:
      if cell.name not in self.failing:
        (evaluation,) = cell.evaluations.values()
        write_evaluation(evaluation, Evaluation('x', 'x', 'x', 'x', 'predicted', {}, 'x', 0, {}, {}, {}, (), 1, 'x', 'x', 'x'))
    return failures

  def report(self, words, **_):
    words = words[words.index('report') + 1 :]
    self.reports.append((words[words.index('--out') + 1], words[words.index('--names') + 1 :]))
    return subprocess.CompletedProcess(words, 0)


@pytest.fixture
def fake(monkeypatch):
  fake = Fake()
  monkeypatch.setattr(mt3_synth.sweep, 'run_cells', fake.run_cells)
  monkeypatch.setattr(mt3_synth.sweep.subprocess, 'run', fake.report)
  return fake


def sweep(out, *words):
  return cli.main(['sweep', '--gin_file', SMALL, '--out', str(out), *words])


@pytest.mark.parametrize('file', SWEEPS)
def test_every_cell_of_a_shipped_sweep_is_a_run(tmp_path, file):
  cells = expand(read_gin(SweepConfig, [file], []), tmp_path, {})
  configs = {cell.name: read_cell(cell) for cell in cells}
  assert len({config.model for config in configs.values()}) == len({tuple(cell.values.items()) for cell in cells})
  for cell in cells:
    network = configs[cell.name].spectrogram_model.network
    assert network.conditioning == cell.values['conditioning']
    assert (configs[cell.name].spectrogram_model.decoder == 'autoregressive') == (cell.values['model'] == 'ar')
    assert (network.context_frames > 0) == (cell.values['model'] == 'ddpm_context')
    assert configs[cell.name].model_dir == str(cell.folder)


def test_a_dry_run_prints_commands_that_a_shell_takes_and_runs_nothing(tmp_path, fake, capsys):
  out = tmp_path / "it's here"
  assert sweep(out, '--dry_run', '--set', 'model=ar', '--set', 'conditioning=tokens', '--gin.TRAIN_STEPS=7') == 0
  head, train, evaluate = capsys.readouterr().out.splitlines()
  assert head == 'ar-tokens-tiny-0 (new): 4.2 M parameters, 7 steps of 8 examples, 0.3094 TFLOP of matrix products at most'
  (cell,) = expand(read_gin(SweepConfig, [SMALL], []), out, {'model': ['ar'], 'conditioning': ['tokens']}, (), ['TRAIN_STEPS=7'])
  assert [shlex.split(line) for line in (train, evaluate)] == [['mt3-synth', *words] for words in cell.commands.values()]
  assert not out.exists()
  assert not fake.cells


def test_all_cells_are_reported_and_each_conditioning_by_itself(tmp_path, fake):
  assert sweep(tmp_path, '--set', 'model=ar,ddpm', '--seeds', '0,1', '--gin.TRAIN_STEPS=7') == 0
  assert len(fake.cells) == 8
  assert set(fake.steps.values()) == {7}
  assert fake.reports == [
    (f'{tmp_path}/report/embedded', ['ar tokens', 'ar aligned', 'ddpm tokens', 'ddpm aligned'] * 2),
    (f'{tmp_path}/report/embedded-tokens', ['ar', 'ddpm'] * 2),
    (f'{tmp_path}/report/embedded-aligned', ['ar', 'ddpm'] * 2),
  ]


def test_failures_are_listed_and_the_rest_is_reported(tmp_path, fake, capsys):
  fake.failing = {'ar-tokens-tiny-0'}
  assert sweep(tmp_path, '--set', 'model=ar,ddpm', '--set', 'conditioning=tokens') == 3
  assert fake.reports == [(f'{tmp_path}/report/embedded', ['ddpm'])]
  listed = capsys.readouterr().err
  assert '1 of 2 cells failed; the same command tries them again:' in listed
  assert f'ar-tokens-tiny-0: train failed: no room ({tmp_path}/train.log)' in listed


def test_where_nothing_was_evaluated_there_is_no_report(tmp_path, fake, capsys):
  fake.failing = {'ar-tokens-tiny-0'}
  assert sweep(tmp_path, '--set', 'model=ar', '--set', 'conditioning=tokens') == 3
  assert not fake.reports
  assert 'no cell of it was evaluated' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('words', 'says'),
  [
    (['--set', 'modl=ar'], "--set: there is no axis 'modl'; did you mean model?"),
    (['--seeds', '0,x'], '--seeds 0,x: expected whole numbers'),
    (['--jobs', '0'], '--jobs 0: expected 1 or more'),
    (['--gin.TRAIN_STEP=7'], 'ar-tokens-tiny-0: gin: nothing uses TRAIN_STEP; did you mean TRAIN_STEPS?'),
    (['--gin.SweepConfig.job=7'], 'did you mean SweepConfig.jobs?'),
    (['--gin.SweepConfig.axes={"a": {"b": "c.gin"}}'], 'expected {name: {name: a list of str}}'),
    (['--gin.SweepConfig.report_by=("sizes",)'], "SweepConfig.report_by: there is no axis 'sizes'; did you mean size?"),
  ],
)
def test_what_cannot_be_is_told_before_anything_runs(tmp_path, fake, capsys, words, says):
  assert sweep(tmp_path / 'out', *words) == 2
  assert not fake.cells
  (line,) = capsys.readouterr().err.splitlines()
  assert says in line


def test_a_folder_that_cannot_be_made_is_told(tmp_path, fake, capsys):
  (tmp_path / 'file').touch()
  assert sweep(tmp_path / 'file' / 'out') == 2
  assert 'file/out: Not a directory; give an --out that can be written' in capsys.readouterr().err


def test_the_verb_needs_a_gin_file(tmp_path, capsys):
  assert cli.main(['sweep', '--out', str(tmp_path)]) == 2
  assert 'give at least one --gin_file' in capsys.readouterr().err


@pytest.mark.slow
def test_the_miniature_gives_every_cell_the_same_arithmetic(tmp_path):
  spent = {}
  for cell in expand(read_gin(SweepConfig, [SMALL], []), tmp_path, {}):
    config = read_cell(cell)
    learner, key = make_learner(config), jax.random.key(0)
    loader, state = learner.loader('train'), jax.eval_shape(learner.init, key)
    batches = [loader.batch(n) for n in range(60)]
    rows = Counter(batch['notes'].shape[1] if isinstance(batch['notes'], np.ndarray) else 0 for batch in batches)
    for length, count in rows.items():
      batch = batches[0] | ({'notes': np.zeros((config.batch_size, length), np.int32)} if length else {})
      operations = cast(dict, jax.jit(learner.train_step).lower(state, batch, key).cost_analysis())['flops']
      spent[cell.name] = spent.get(cell.name, 0.0) + config.total_steps * operations * count / len(batches)
  assert_allclose(list(spent.values()), 30e12, rtol=0.02)
