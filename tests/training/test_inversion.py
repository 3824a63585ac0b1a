"""Training of inverters: the same verb, checkpoints and logs, by its own learner."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.audio.files import write_audio
from mt3_synth.config import to_json
from mt3_synth.errors import InputError
from mt3_synth.train import train
from mt3_synth.training.config import OptimizerConfig, TrainConfig
from mt3_synth.training.inversion import InverterLearner
from tests.inverter.tiny import TINY


@pytest.fixture(scope='module')
def sounds(tmp_path_factory):
  folder = tmp_path_factory.mktemp('sounds')
  rng = np.random.default_rng(0)
  for number in range(4):
    time = np.arange(16000) / 16000
    tone = 0.3 * np.sin(2 * np.pi * 220 * 2 ** (number / 4) * time) + 0.01 * rng.standard_normal(16000)
    write_audio(folder / f'{number}.wav', tone)
  return folder


@pytest.fixture(scope='module')
def config(sounds, tmp_path_factory):
  return TrainConfig(
    model_dir=str(tmp_path_factory.mktemp('runs') / 'inverter'),
    corpora=(str(sounds),),
    model=dataclasses.replace(TINY, adversary=dataclasses.replace(TINY.adversary, start=2, ramp=2)),
    optimizer=OptimizerConfig('adamw', 1e-3, clip_norm=5.0),
    total_steps=4,
    batch_size=2,
    log_every=1,
    eval_every=2,
    eval_batches=1,
    save_every=2,
  )


@pytest.fixture(scope='module')
def finished(config):
  return jax.device_get(train(config))


def test_a_run_trains_the_generator_and_once_they_start_its_discriminators(config, finished):
  fresh = jax.device_get(InverterLearner(config).init(jax.random.split(jax.random.key(config.seed), 3)[0]))
  differs = lambda a, b: not all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))
  assert differs(finished.params['generator'], fresh.params['generator'])
  assert differs(finished.params['discriminators'], fresh.params['discriminators'])
  assert jax.tree.structure(finished.ema) == jax.tree.structure(fresh.params['generator'])
  lines = [json.loads(line) for line in (Path(config.model_dir) / 'metrics.jsonl').read_text().splitlines()]
  judged = [line['train/discriminator'] for line in lines if 'train/discriminator' in line]
  assert judged[:2] == [0, 0]
  assert min(judged[2:]) > 0
  assert all(np.isfinite(value) for line in lines for value in line.values() if isinstance(value, float))


def test_an_interrupted_run_ends_as_an_uninterrupted_one(config, finished, tmp_path):
  folder = tmp_path / 'again'
  shutil.copytree(config.model_dir, folder)
  shutil.rmtree(folder / 'checkpoints' / '4')
  again = jax.device_get(train(dataclasses.replace(config, model_dir=str(folder))))
  jax.tree.map(assert_array_equal, again, finished)


@pytest.mark.slow
@pytest.mark.usefixtures('finished')
def test_two_devices_share_the_examples_and_go_on_with_what_they_saved(config, tmp_path):
  halves = [to_json(dataclasses.replace(config, model_dir=str(tmp_path / 'run'), total_steps=steps)) for steps in (2, 4)]
  code = (
    'import sys\nfrom mt3_synth.config import from_json\nfrom mt3_synth.train import train\n'
    'from mt3_synth.training.config import TrainConfig\nfor text in sys.argv[1:]: train(from_json(TrainConfig, text))'
  )
  devices = {'XLA_FLAGS': '--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0', 'JAX_PLATFORMS': 'cpu'}
  done = subprocess.run([sys.executable, '-c', code, *halves], env=os.environ | devices, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr[-3000:]
  losses = [
    [line['train/loss'] for line in map(json.loads, (folder / 'metrics.jsonl').read_text().splitlines()) if 'train/loss' in line]
    for folder in (tmp_path / 'run', Path(config.model_dir))
  ]
  assert len(losses[0]) == 4
  assert_allclose(*losses, rtol=1e-3)


def test_microbatches_are_refused(config):
  with pytest.raises(InputError, match='microbatches is 2, but an inverter learns from whole batches'):
    InverterLearner(dataclasses.replace(config, microbatches=2))
