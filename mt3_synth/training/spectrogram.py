"""Training of the spectrogram models, diffusion and autoregressive."""

import dataclasses
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from mt3_synth.audio.mel import unscale
from mt3_synth.inverter.griffin_lim import GriffinLim
from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import Model, make_model
from mt3_synth.training.config import TrainConfig
from mt3_synth.training.feeding import Batch, Loader, make_loader
from mt3_synth.training.learner import Examples
from mt3_synth.training.optimizer import learning_rate, make_optimizer
from mt3_synth.training.partitioning import check_microbatches, everywhere, make_mesh, to_mesh
from mt3_synth.training.step import TrainState, eval_step, initial_state, train_step

EXAMPLES = 4
EXAMPLE_STEPS = 20  # of the walk of a diffusion model: enough to tell how it goes


class SpectrogramLearner:
  """A `Learner` of a `Model`."""

  def __init__(self, config: TrainConfig):
    self.config = config
    check_microbatches(config, jax.device_count())
    self.model = make_model(config.spectrogram_model)
    self.tx = make_optimizer(config.optimizer, config.total_steps)
    self.mesh = make_mesh(config.mesh)
    # One process's loader cuts rows of tokens, for a program a length; several would have to agree, so all lengths are in one program.
    network = config.spectrogram_model.network
    self.lengths = network.token_buckets if jax.process_count() > 1 and network.conditioning == 'tokens' else ()
    self.rate = learning_rate(config.optimizer, config.total_steps)

  def loader(self, split: str) -> Loader:
    return make_loader(self.config, split)

  def init(self, key: jax.Array) -> TrainState:
    return initial_state(key, model=self.model, tx=self.tx, mesh=self.mesh)

  def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, dict[str, Any]]:
    how = {'ema_decay': self.config.ema_decay, 'microbatches': self.config.microbatches, 'mesh': self.mesh, 'lengths': self.lengths}
    return train_step(state, batch, key, model=self.model, tx=self.tx, **how)

  def eval_step(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, Any]:
    return eval_step(state.ema, batch, key, model=self.model, mesh=self.mesh)

  def rates(self, step: int) -> dict[str, float]:
    return {'learning_rate': float(np.asarray(self.rate(step)))}

  def examples(self, state: TrainState) -> Examples:
    batch = to_mesh(self.loader('validation').batch(0), self.mesh)
    played = _play(state.ema, batch, jax.random.key(self.config.seed), model=self.model, mesh=self.mesh)
    drawn, targets, counts = jax.device_get(played)
    mels, audio, mel_config = {}, {}, self.config.spectrogram_model.mel
    for name, mel in (('drawn', drawn), ('recorded', targets)):
      sound = np.clip(GriffinLim(mel_config)(mel), -1, 1)
      for n, frames in enumerate(counts):
        mels[f'{n}/{name}'] = mel[n, :frames]
        audio[f'{n}/{name}'] = sound[n, : frames * mel_config.hop]
    return Examples(mels, audio, mel_config.sample_rate)


@partial(jax.jit, static_argnames=('model', 'mesh'))
def _play(params: Any, batch: Batch, key: jax.Array, *, model: Model, mesh: Mesh) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Of the first examples, on all devices: log-mels [B, T, D] drawn under their conditions, the recorded ones, and their frames [B]."""
  params, batch = everywhere((params, jax.tree.map(lambda x: x[:EXAMPLES], batch)), mesh)
  counts, config, batch = batch['frames'], model.config, to_model_batch(batch, model)
  sampler = dataclasses.replace(config.sampler, steps=min(config.sampler.steps, EXAMPLE_STEPS))
  drawn = unscale(model.predict(params, batch['conditions'], key, sampler), config.mel)
  targets = batch['targets'] if config.targets == 'log_mel' else unscale(batch['targets'], config.mel)
  return everywhere((drawn, targets, counts), mesh)
