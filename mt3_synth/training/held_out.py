"""Losses on what is not trained on: the same batches and the same noise each time, so that steps and runs can be compared."""

import dataclasses
from contextlib import closing
from functools import partial

import jax

from mt3_synth.data.mixtures import expand
from mt3_synth.training.config import TrainConfig
from mt3_synth.training.feeding import on_device
from mt3_synth.training.learner import Learner, make_learner
from mt3_synth.training.metrics import mean
from mt3_synth.training.partitioning import make_mesh, to_mesh
from mt3_synth.training.step import TrainState


class HeldOut:
  """The first `config.eval_batches` batches of each corpus's validation split."""

  def __init__(self, config: TrainConfig, key: jax.Array):
    """Raises:
    InputError: a corpus has no validation split.
    """
    corpora = expand(config.corpora, config.temperature).corpora if config.eval_batches else ()
    alone = {corpus: dataclasses.replace(config, corpora=(corpus,), temperature=None) for corpus in corpora}
    self.loaders = {corpus: make_learner(one).loader('validation') for corpus, one in alone.items()}
    self.put = partial(to_mesh, mesh=make_mesh(config.mesh))
    self.keys = jax.random.split(key, max(config.eval_batches, 1))

  def __bool__(self) -> bool:
    return bool(self.loaders)

  def evaluate(self, learner: Learner, state: TrainState) -> dict[str, float]:
    """Metrics of the averaged parameters: `loss`, the mean of all corpora, and, where there are several, `CORPUS/loss`."""
    scores = {}
    for corpus, loader in self.loaders.items():
      with loader.walk() as batches, closing(on_device(batches, self.put)) as feed:
        steps = [learner.eval_step(state, batch, key) for key, (batch, _) in zip(self.keys, feed, strict=False)]
      scores[corpus] = mean(jax.device_get(steps))
    each = {f'{corpus}/{name}': value for corpus, score in scores.items() for name, value in score.items()} if len(scores) > 1 else {}
    return mean(list(scores.values())) | each
