"""What the loop of `mt3_synth.train` trains, whatever it is: batches, a state, an update, what is looked at on the way."""

from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from mt3_synth.config import InverterConfig, ModelConfig
from mt3_synth.training.config import TrainConfig
from mt3_synth.training.feeding import Batch, Loader
from mt3_synth.training.step import TrainState


class Examples(NamedTuple):
  """What a few fixed examples become, to look at and to hear; nothing where a model has none."""

  mels: dict[str, np.ndarray] = {}  # name -> log-mel [T, D], natural logarithm
  audio: dict[str, np.ndarray] = {}  # name -> float waveform [S] in [-1, 1]
  sample_rate: int = 16000


class Learner(Protocol):
  """A kind of model in training.  Metrics are means; they stay on the device until somebody reads them."""

  def loader(self, split: str) -> Loader:
    """This process's part of the batches of `split`."""
    ...

  def init(self, key: jax.Array) -> TrainState:
    """The state before the first step."""
    ...

  def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, dict[str, Any]]:
    """One update, compiled; the state given is used up.  Each draw is of `key` and the state's step.  The metrics have `loss`."""
    ...

  def eval_step(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, Any]:
    """Metrics of the averaged parameters in use, compiled: no dropout, noise of `key`.  They have `loss`: the lower, the better."""
    ...

  def rates(self, step: int) -> dict[str, float]:
    """The learning rates at a step, by the name they are logged under."""
    ...

  def examples(self, state: TrainState) -> Examples:
    """A few fixed held-out examples as the averaged parameters play them, drawn with fixed keys."""
    ...


def make_learner(config: TrainConfig) -> Learner:
  """What a run trains: chosen by the type of `config.model`.

  Raises:
    InputError: an option of it is out of its range.
  """
  from mt3_synth.training.inversion import InverterLearner  # here, because learners import this module
  from mt3_synth.training.spectrogram import SpectrogramLearner

  learners = {ModelConfig: SpectrogramLearner, InverterConfig: InverterLearner}
  return learners[type(config.model)](config)
