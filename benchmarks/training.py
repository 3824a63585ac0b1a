"""Training steps a second of the tiny model: notes told frame by frame, against the same network reading tokens; and the loader apart.

`python -m benchmarks training`
"""

import dataclasses
import itertools
import time
from collections.abc import Iterator

import jax
import numpy as np

from benchmarks.features import best_seconds
from benchmarks.griffin_lim import music
from mt3_synth.config import ModelConfig
from mt3_synth.data.loader import CropLoader
from mt3_synth.data.songs import Song
from mt3_synth.data.sources import SongsInMemory
from mt3_synth.gin_files import read_gin
from mt3_synth.models.model import make_model
from mt3_synth.notes import Notes
from mt3_synth.training.config import TrainConfig
from mt3_synth.training.optimizer import make_optimizer
from mt3_synth.training.step import new_params, new_state, train_step

GIN_FILE = 'gin_configs/models/diffusion/context/tiny.gin'
TOKENS = 2048  # the published row; padded to it, as in training
SECONDS = 60
BATCH = 8
STEPS = 10


def song(seconds: float = SECONDS, seed: int = 0) -> Song:
  """A minute of four parts, sixteen notes a second."""
  rng = np.random.default_rng(seed)
  onsets = np.arange(0, seconds - 1, 1 / 16).tolist()
  rows = [
    (t, t + float(rng.uniform(0.1, 1)), int(rng.integers(36, 84)), int(rng.integers(40, 120)), 8 * (n % 4)) for n, t in enumerate(onsets)
  ]
  return Song('benchmark', Notes.from_rows(rows), (music(seconds, seed) * 8000).astype(np.int16))


def updates(config: TrainConfig, loader: CropLoader) -> Iterator[float]:
  """Makes one update after another, the features of its crops computed within, and gives the seconds of each; compiled before the first."""
  model, tx = make_model(config.model), make_optimizer(config.optimizer, config.total_steps)
  state = new_state(new_params(jax.random.key(0), model=model), tx)
  batches = [loader.batch(n) for n in range(4)]
  for n in itertools.count():
    start = time.perf_counter()
    state, _ = train_step(state, batches[n % 4], jax.random.key(1), model=model, tx=tx, ema_decay=config.ema_decay)
    jax.block_until_ready(state)
    if n:
      yield time.perf_counter() - start


def with_tokens(model: ModelConfig) -> ModelConfig:
  return dataclasses.replace(model, network=dataclasses.replace(model.network, conditioning='tokens', note_length=TOKENS))


def run(batch_size: int = BATCH, steps: int = STEPS) -> dict:
  """Measures both kinds of conditions with the same decoder, context, optimiser and crops.

  Returns:
    steps and examples a second of both (of the median step), and the ratio; batches a second that the loader makes of either on one core,
    and how much faster that is than they are used.
  """
  config = read_gin(TrainConfig, [GIN_FILE], ["MODEL_DIR = 'unused'", "CORPORA = ('unused',)"])
  models = {'aligned': config.model, f'tokens_{TOKENS}': with_tokens(config.model)}
  piece = song()
  loaders = {name: CropLoader([SongsInMemory([piece])], model, batch_size, seed=0) for name, model in models.items()}
  running = {name: updates(dataclasses.replace(config, model=model), loaders[name]) for name, model in models.items()}
  # In turn, so that other work on the machine slows both alike.
  seconds = [{name: next(each) for name, each in running.items()} for _ in range(steps)]
  figures: dict = {'batch_size': batch_size}
  for name, loader in loaders.items():
    speed = 1 / float(np.median([each[name] for each in seconds]))
    batches = 1 / best_seconds(lambda loader=loader: loader.batch(0))
    figures[f'{name}_steps_per_second'] = speed
    figures[f'{name}_examples_per_second'] = speed * batch_size
    figures[f'{name}_loader_batches_per_second'] = batches
    figures[f'{name}_loader_times_as_fast_as_training'] = batches / speed
  fast, slow = (figures[f'{name}_steps_per_second'] for name in models)
  return figures | {'ratio': fast / slow}
