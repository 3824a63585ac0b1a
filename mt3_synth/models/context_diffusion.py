"""The diffusion model with context: its network, and the interface the trainer and the pipeline use.

Hawthorne et al., Multi-instrument Music Synthesis with Spectrogram Diffusion, ISMIR 2022.
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from mt3_synth.config import ModelConfig, NetworkConfig, SamplerConfig
from mt3_synth.diffusion import loss, process
from mt3_synth.models.aligned import AlignedNoteEncoder, AlignedNotes
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.diffusion_decoder import DiffusionDecoder, Memory
from mt3_synth.models.drawing import draw
from mt3_synth.models.encoders import ContextEncoder, TokenEncoder


class ContextDiffusionNetwork(nn.Module):
  """Note encoder, context encoder and denoising decoder."""

  config: NetworkConfig

  def setup(self):
    if self.config.conditioning == 'tokens':
      self.token_encoder = TokenEncoder(self.config)
    else:
      self.aligned_encoder = AlignedNoteEncoder(self.config)
    self.continuous_encoder = ContextEncoder(self.config)
    self.decoder = DiffusionDecoder(self.config)

  def encode(self, conditions: Conditions, deterministic: bool = True) -> Memory:
    mask = conditions.context_mask > 0
    encodings = self.continuous_encoder(conditions.context, mask, deterministic)
    if self.config.conditioning == 'aligned':
      return self.decoder.memorise(encodings, mask, *self.aligned_encoder(conditions.notes, deterministic))
    notes, note_mask = self.token_encoder(conditions.notes, deterministic)
    return self.decoder.memorise(jnp.concatenate([notes, encodings], axis=1), jnp.concatenate([note_mask, mask], axis=1))

  def film(self, time):
    return self.decoder.film(time)

  def decode(self, z, film, memory: Memory, deterministic: bool = True):
    return self.decoder(z, film, memory, deterministic)

  def __call__(self, z, time, conditions: Conditions, deterministic: bool = True):
    """Output [B, T, D] for z [B, T, D] at diffusion times [B]."""
    return self.decode(z, self.film(time), self.encode(conditions, deterministic), deterministic)


@dataclass(frozen=True)
class ContextDiffusion:
  """The model: initial parameters, loss, and spectrograms drawn under conditions."""

  config: ModelConfig

  @property
  def network(self) -> ContextDiffusionNetwork:
    return ContextDiffusionNetwork(self.config.network)

  def init(self, key: jax.Array) -> Any:
    """Parameters, boxed with their logical axis names (`flax.linen.meta.unbox` takes the boxes off)."""
    c = self.config.network
    frames = lambda n: jnp.zeros((1, n, c.mel_bands))
    conditions = Conditions(self._no_notes(1), frames(c.context_frames), jnp.zeros((1, c.context_frames)))
    return self.network.init(key, frames(c.target_frames), jnp.zeros(1), conditions)['params']

  def _no_notes(self, batch: int) -> Any:
    if self.config.network.conditioning == 'tokens':
      return jnp.zeros((batch, self.config.network.note_length), jnp.int32)
    real, whole = jnp.zeros((batch, 1)), jnp.zeros((batch, 1), jnp.int32)
    return AlignedNotes(real, real, whole, whole, real, real)

  def loss(self, params: Any, batch: dict[str, Any], key: jax.Array, deterministic: bool = False) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean error over frames and bands, and metrics.

    Args:
      params: without boxes.
      batch: `conditions`: Conditions; `targets`: scaled mel [B, T, D]; `targets_mask` [B, T].
      key: draws noise, times, dropped conditions and dropout.
      deterministic: no dropout (evaluation).
    """
    dropout_key, key = jax.random.split(key)
    noise_key, time_key, drop_key = jax.random.split(key, 3)
    x0 = batch['targets']
    eps = jax.random.normal(noise_key, x0.shape)
    time = jax.random.uniform(time_key, x0.shape[:1])
    keep = jax.random.bernoulli(drop_key, 1 - self.config.diffusion.condition_dropout, x0.shape[:1])
    batch = self._weaken_context(batch, jax.random.fold_in(drop_key, 1))
    error = self.error(params, batch, time, eps, keep, dropout_key, deterministic)
    mean = loss.masked_mean(error, batch['targets_mask'])
    return mean, {'loss': mean}

  def _weaken_context(self, batch, key):
    d, conditions = self.config.diffusion, batch['conditions']
    if not (d.context_dropout or d.context_noise):
      return batch
    drop_key, noise_key = jax.random.split(key)
    kept = jax.random.bernoulli(drop_key, 1 - d.context_dropout, conditions.context_mask.shape[:1])
    context = conditions.context + d.context_noise * jax.random.normal(noise_key, conditions.context.shape)
    return batch | {'conditions': conditions._replace(context=context, context_mask=conditions.context_mask * kept[:, None])}

  def error(self, params, batch, time, eps, keep, dropout_key=None, deterministic: bool = True) -> jax.Array:
    """The denoising error [B, T, D] with every draw given: times [B], noise [B, T, D], conditions kept [B]."""
    logsnr = process.cosine_logsnr(time)
    mean, std, *_ = process.forward(batch['targets'], logsnr)
    rngs: Any = None if deterministic else {'dropout': dropout_key}
    conditions = batch['conditions'].where(keep)
    output: Any = self.network.apply({'params': params}, mean + std * eps, time, conditions, deterministic, rngs=rngs)
    return loss.denoising_error(output, batch['targets'], eps, logsnr, self.config.diffusion)

  def predict(self, params: Any, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> jax.Array:
    """A scaled mel [B, T, D] drawn under `conditions`; the same key gives the same one."""
    return draw(self.network.bind({'params': params}), self.config, conditions, key, sampler)
