"""Runs of the train verb by several processes: the same as one, stopped and gone on with, and by another number of them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.audio.files import write_audio
from tests.data.tiny import CONTEXT, FRAMES, TINY
from tests.inverter import tiny as inverter

ROOT = Path(__file__).parents[2]
SPECTROGRAM = f"""
include 'gin_configs/train.gin'
NetworkConfig.emb_dim = {TINY.emb_dim}
NetworkConfig.num_heads = {TINY.num_heads}
NetworkConfig.head_dim = {TINY.head_dim}
NetworkConfig.encoder_layers = 1
NetworkConfig.decoder_layers = 1
NetworkConfig.mlp_dim = {TINY.mlp_dim}
NetworkConfig.note_features = {TINY.note_features}
NetworkConfig.note_length = {TINY.note_length}
NetworkConfig.conditioning = 'aligned'
NetworkConfig.target_frames = {FRAMES}
NetworkConfig.context_frames = {CONTEXT}
DiffusionConfig.output = 'x0'
DiffusionConfig.loss_on = 'x0'
BATCH_SIZE = 4
OptimizerConfig.name = 'adamw'
TrainConfig.log_every = 1
TrainConfig.eval_every = 1000000
TrainConfig.eval_batches = 1
TrainConfig.examples_every = 1000000
TrainConfig.save_every = 1000000
"""
GENERATOR, ADVERSARY = inverter.TINY.generator, inverter.TINY.adversary
INVERTER = f"""
include 'gin_configs/inverter/inverter.gin'
GeneratorConfig.width = {GENERATOR.width}
GeneratorConfig.blocks = 1
GeneratorConfig.refining_blocks = 1
GeneratorConfig.kernel = {GENERATOR.kernel}
GeneratorConfig.iterations = 1
GeneratorConfig.projections = {GENERATOR.projections}
InverterConfig.crop_frames = {inverter.TINY.crop_frames}
InverterLossConfig.scales = 0.0
AdversaryConfig.start = 1
AdversaryConfig.ramp = 1
AdversaryConfig.periods = {ADVERSARY.periods}
AdversaryConfig.period_channels = {ADVERSARY.period_channels}
AdversaryConfig.ffts = {ADVERSARY.ffts}
AdversaryConfig.fft_channels = {ADVERSARY.fft_channels}
TRAIN_STEPS = 3
BATCH_SIZE = 4
TrainConfig.log_every = 1
TrainConfig.eval_batches = 1
TrainConfig.examples_every = 3
"""


def start(folder: Path, gin: str, *bindings: str, processes: int = 1, devices: int = 1) -> list[subprocess.Popen]:
  """Processes that train together."""
  file = folder.with_suffix('.gin')
  file.write_text(gin)
  with socket.socket() as free:
    free.bind(('localhost', 0))
    meet = ['--coordinator', f'localhost:{free.getsockname()[1]}', '--num_processes', str(processes), '--process_id']
  flags = f'--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0'
  environment = os.environ | {
    'PYTHONPATH': str(ROOT),
    'JAX_PLATFORMS': 'cpu',
    'XLA_FLAGS': flags,
    'MT3_SYNTH_CACHE': str(folder.parent / 'cache'),
  }
  command = [sys.executable, '-m', 'mt3_synth.cli', 'train', '--gin_file', str(file), f"--gin.MODEL_DIR='{folder}'"]
  command += [f'--gin.{each}' for each in bindings]
  running = []
  for number in range(processes):
    with folder.with_suffix(f'.{number}.err').open('w') as said:  # no pipe: nobody reads while a run goes on
      running.append(subprocess.Popen([*command, *meet, str(number)], cwd=ROOT, env=environment, stdout=said, stderr=said))
  return running


def end(folder: Path, running: list[subprocess.Popen], status: int = 0) -> None:
  found = [process.wait(timeout=900) for process in running]
  said = [folder.with_suffix(f'.{number}.err').read_text()[-3000:] for number in range(len(running))]
  assert found == [status] * len(running), '\n'.join(said)


def lines(folder: Path) -> list[dict]:
  """Its metrics but for times."""
  text = (folder / 'metrics.jsonl').read_text() if (folder / 'metrics.jsonl').exists() else ''
  return [{name: value for name, value in json.loads(line).items() if 'second' not in name} for line in text.splitlines()]


def saved(folder: Path) -> list[int]:
  return sorted(int(path.name) for path in (folder / 'checkpoints').iterdir())


def assert_same_metrics(one: Path, other: Path) -> None:
  """Within what float32 makes of sums in another order; norms hold Adam's steps by gradients that are all but nought."""
  for a, b in zip(lines(one), lines(other), strict=True):
    assert a.keys() == b.keys()
    for name, value in a.items():
      assert_allclose(b[name], value, rtol=1e-3 if 'loss' in name else 2e-2, atol=1e-5, err_msg=f'{name}, step {a["step"]}')


@pytest.mark.slow
def test_two_processes_that_are_stopped_save_one_step_and_go_on_and_so_does_one(corpus, tmp_path):
  """SIGTERM comes to one of them.  What goes on is evaluated, and plays its examples, as by one process alone."""
  two, one = tmp_path / 'two', tmp_path / 'one'
  bindings = [f"CORPORA=('{corpus}',)", 'MeshConfig.fsdp=2']
  running = start(two, SPECTROGRAM, *bindings, 'TRAIN_STEPS=1000000', processes=2)
  while not lines(two) and all(process.poll() is None for process in running):
    time.sleep(0.1)
  running[1].send_signal(signal.SIGTERM)
  end(two, running, os.EX_TEMPFAIL)
  (stopped,) = saved(two)
  assert [line['step'] for line in lines(two)] == list(range(1, stopped + 1))
  assert len(list(two.glob('events*'))) == 1

  shutil.copytree(two, one)
  more = f'TRAIN_STEPS={stopped + 3}'
  end(two, start(two, SPECTROGRAM, *bindings, more, processes=2))
  end(one, start(one, SPECTROGRAM, bindings[0], more))
  assert saved(two) == [stopped, stopped + 3]
  steps = [line['step'] for line in lines(two) if 'train/loss' in line]
  assert steps == list(range(1, stopped + 4))
  assert 'eval/loss' in lines(two)[-1]
  assert_same_metrics(one, two)
  assert len(list(two.glob('events*'))) == 2
  shown = b''.join(path.read_bytes() for path in two.glob('events*'))
  assert b'mel/0/drawn' in shown
  assert b'audio/0/drawn' in shown


@pytest.mark.slow
def test_an_inverter_trains_on_two_processes_of_two_devices_as_on_one(tmp_path):
  sounds, rng = tmp_path / 'sounds', np.random.default_rng(0)
  sounds.mkdir()
  for number in range(4):
    write_audio(sounds / f'{number}.wav', 0.1 * rng.standard_normal(16000))
  binding = f"CORPORA=('{sounds}',)"
  one, four = tmp_path / 'one', tmp_path / 'four'
  end(one, start(one, INVERTER, binding))
  end(four, start(four, INVERTER, binding, 'MeshConfig.fsdp=2', processes=2, devices=2))
  assert_same_metrics(one, four)
  assert lines(four)[2]['train/discriminator'] > 0
