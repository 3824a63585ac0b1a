"""The diffusion models, with context and without: their network, and the interface the trainer and the pipeline use.

Hawthorne et al., Multi-instrument Music Synthesis with Spectrogram Diffusion, ISMIR 2022.
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from mt3_synth.config import ModelConfig, NetworkConfig, SamplerConfig
from mt3_synth.diffusion import loss, process
from mt3_synth.models.aligned import AlignedNoteEncoder
from mt3_synth.models.conditions import Conditions, no_conditions
from mt3_synth.models.decoder import Memory, memorise
from mt3_synth.models.diffusion_decoder import DiffusionDecoder
from mt3_synth.models.drawing import draw
from mt3_synth.models.encoders import ContextEncoder, TokenEncoder


class DiffusionNetwork(nn.Module):
  """Note encoder, context encoder where there is context, and denoising decoder."""

  config: NetworkConfig
  outputs: int

  def setup(self):
    if self.config.conditioning == 'tokens':
      self.token_encoder = TokenEncoder(self.config)
    else:
      self.aligned_encoder = AlignedNoteEncoder(self.config)
    if self.config.context_frames:
      self.continuous_encoder = ContextEncoder(self.config)
    self.decoder = DiffusionDecoder(self.config, self.outputs)

  def encode(self, conditions: Conditions, deterministic: bool = True) -> Memory:
    notes = self.token_encoder if self.config.conditioning == 'tokens' else self.aligned_encoder
    return memorise(self.decoder, notes, self.continuous_encoder if self.config.context_frames else None, conditions, deterministic)

  def film(self, time):
    return self.decoder.film(time)

  def decode(self, z, film, memory: Memory, deterministic: bool = True, twice: bool = False):
    return self.decoder(z, film, memory, deterministic, twice)

  def __call__(self, z, time, conditions: Conditions, deterministic: bool = True):
    """Output [B, T, outputs] for z [B, T, D] at diffusion times [B]."""
    return self.decode(z, self.film(time), self.encode(conditions, deterministic), deterministic)


@dataclass(frozen=True)
class DiffusionModel:
  """A `Model` that denoises."""

  config: ModelConfig

  @property
  def network(self) -> DiffusionNetwork:
    bands = self.config.network.mel_bands
    return DiffusionNetwork(self.config.network, 2 * bands if self.config.diffusion.output == 'x0_and_eps' else bands)

  def init(self, key: jax.Array) -> Any:
    c = self.config.network
    return self.network.init(key, jnp.zeros((1, c.target_frames, c.mel_bands)), jnp.zeros(1), no_conditions(c))['params']

  def loss(self, params: Any, batch: dict[str, Any], key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    d = self.config.diffusion
    dropout_key, key = jax.random.split(key)
    noise_key, time_key, drop_key = jax.random.split(key, 3)
    keep = jax.random.bernoulli(drop_key, 1 - d.condition_dropout, batch['targets'].shape[:1])
    conditions = batch['conditions'].where(keep).weakened(jax.random.fold_in(drop_key, 1), d.context_dropout, d.context_noise)
    metrics = self._errors(params, batch | {'conditions': conditions}, noise_key, time_key, dropout_key)
    return metrics['loss'], metrics

  def evaluation_loss(self, params: Any, batch: dict[str, Any], key: jax.Array) -> dict[str, jax.Array]:
    noise_key, time_key = jax.random.split(key)
    return self._errors(params, batch, noise_key, time_key)

  def _errors(self, params, batch, noise_key, time_key, dropout_key=None) -> dict[str, Any]:
    """The denoising error, as a mean and by noise level; no dropout without a key for it."""
    x0 = batch['targets']
    eps = jax.random.normal(noise_key, x0.shape)
    time = process.draw_times(time_key, len(x0), self.config.diffusion)
    logsnr = process.logsnr_at(time, self.config.diffusion)
    mean, std, *_ = process.forward(x0, logsnr)
    rngs: Any = {'dropout': dropout_key}
    deterministic = dropout_key is None
    output: Any = self.network.apply(
      {'params': params}, mean + std * eps, time, batch['conditions'], deterministic, rngs=None if deterministic else rngs
    )
    error, mask = loss.denoising_error(output, x0, eps, logsnr, self.config.diffusion), batch['targets_mask']
    return {'loss': loss.masked_mean(error, mask), 'loss_at_time': jax.lax.stop_gradient(loss.by_time(error, mask, time))}

  def predict(self, params: Any, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> jax.Array:
    return draw(self.network.bind({'params': params}), self.config, conditions, key, sampler)
