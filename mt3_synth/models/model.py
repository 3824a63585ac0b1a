"""What the trainer and the pipeline know of a model, whichever its decoder."""

from typing import Any, Protocol

import flax.linen as nn
import jax

from mt3_synth.config import ModelConfig, SamplerConfig
from mt3_synth.models.autoregressive import AutoregressiveModel
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.diffusion import DiffusionModel


class Model(Protocol):
  """Initial parameters, losses, and spectrograms drawn under conditions.  Equal models are equal and hash alike: they are static under jit.

  A batch has `conditions` (Conditions of B segments), `targets` [B, T, D] in the units of `config.targets`, and `targets_mask` [B, T].
  """

  @property
  def config(self) -> ModelConfig: ...

  @property
  def network(self) -> nn.Module: ...

  def init(self, key: jax.Array) -> Any:
    """Parameters, boxed with their logical axis names (`flax.linen.meta.unbox` takes the boxes off)."""
    ...

  def loss(self, params: Any, batch: dict[str, Any], key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """What training makes small, a mean over frames and bands, and metrics.  All draws, dropout's too, are of `key`."""
    ...

  def evaluation_loss(self, params: Any, batch: dict[str, Any], key: jax.Array) -> dict[str, jax.Array]:
    """The same of a model in use: no dropout, no condition lost, nothing weakened.  The noise is of `key`: the same one compares steps."""
    ...

  def predict(self, params: Any, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> jax.Array:
    """A scaled mel [B, T, D] drawn under `conditions`; the same key gives the same one."""
    ...


def make_model(config: ModelConfig) -> Model:
  """The model that `config` describes."""
  return DiffusionModel(config) if config.decoder == 'diffusion' else AutoregressiveModel(config)
