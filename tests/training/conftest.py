"""One short run, never interrupted, that the tests look at."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import jax
import pytest

from mt3_synth.train import train
from mt3_synth.training import spectrogram
from mt3_synth.training.config import OptimizerConfig, TrainConfig
from mt3_synth.training.step import TrainState
from tests.data.tiny import tiny_model, write_corpus


class Run(NamedTuple):
  config: TrainConfig
  folder: Path
  state: TrainState  # after the last step
  params: list  # before the first step, and after each


@pytest.fixture(scope='session')
def corpus(tmp_path_factory):
  return write_corpus(tmp_path_factory.mktemp('corpus'))


@pytest.fixture(scope='session')
def config(corpus):
  return TrainConfig(
    model_dir='',
    corpora=(str(corpus),),
    model=tiny_model('aligned'),
    optimizer=OptimizerConfig('adamw', 1e-2, warmup_steps=2, weight_decay=0.1, clip_norm=1.0),
    total_steps=6,
    batch_size=2,
    log_every=2,
    eval_every=3,
    eval_batches=2,
    save_every=3,
  )


@pytest.fixture(scope='session')
def finished(config, tmp_path_factory) -> Run:
  folder = tmp_path_factory.mktemp('runs') / 'finished'
  config = dataclasses.replace(config, model_dir=str(folder))
  step, params = spectrogram.train_step, []

  def watched(state, *args, **kwargs):
    if not params:
      params.append(jax.device_get(state.params))
    after = step(state, *args, **kwargs)
    params.append(jax.device_get(after[0].params))
    return after

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(spectrogram, 'train_step', watched)
    state = train(config)
  return Run(config, folder, jax.device_get(state), params)
