"""The autoregressive models: their network, and the interface the trainer and the pipeline use.

Hawthorne et al., Multi-instrument Music Synthesis with Spectrogram Diffusion, ISMIR 2022, section 3.2.
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from mt3_synth.audio.mel import scale, unscale
from mt3_synth.config import ModelConfig, SamplerConfig
from mt3_synth.diffusion.loss import masked_mean
from mt3_synth.models import mixture
from mt3_synth.models.aligned import AlignedNoteEncoder
from mt3_synth.models.autoregressive_decoder import AutoregressiveDecoder
from mt3_synth.models.conditions import Conditions, no_conditions
from mt3_synth.models.decoder import Memory, memorise
from mt3_synth.models.encoders import ContextEncoder, TokenEncoder


class AutoregressiveNetwork(nn.Module):
  """Note encoder, context encoder where there is context, and causal decoder."""

  config: ModelConfig

  def setup(self):
    c = self.config.network
    if c.conditioning == 'tokens':
      self.encoder = TokenEncoder(c)
    else:
      self.aligned_encoder = AlignedNoteEncoder(c)
    if c.context_frames:
      self.continuous_encoder = ContextEncoder(c)
    self.decoder = AutoregressiveDecoder(c, mixture.width(c.mel_bands, self.config.autoregressive))

  def encode(self, conditions: Conditions, deterministic: bool = True) -> Memory:
    c = self.config.network
    notes = self.encoder if c.conditioning == 'tokens' else self.aligned_encoder
    memory = memorise(self.decoder, notes, self.continuous_encoder if c.context_frames else None, conditions, deterministic)
    if memory.level is not None and self.config.targets == 'log_mel':
      memory = memory._replace(level=unscale(memory.level, self.config.mel))
    return memory

  def decode(self, before, memory: Memory, deterministic: bool = True):
    """What is said of all frames [B, T, ...], each from those before it: frames, or a `Mixture`."""
    return self._said(self.decoder(before, memory, deterministic), memory.level)

  def step(self, before, frame, past, memory: Memory):
    """What is said of one frame [B, ...], and the keys and values up to it; see `AutoregressiveDecoder.step`."""
    output, past = self.decoder.step(before, frame, past, memory)
    return self._said(output, None if memory.level is None else memory.level[:, frame]), past

  def new_past(self, batch: int) -> list:
    return self.decoder.new_past(batch)

  def _said(self, output, level):
    if self.config.autoregressive.output == 'deterministic':
      return output if level is None else output + level
    said = mixture.of_output(output, self.config.autoregressive)
    return said if level is None else said._replace(means=said.means + level[..., None, :])

  def __call__(self, before, conditions: Conditions, deterministic: bool = True):
    return self.decode(before, self.encode(conditions, deterministic), deterministic)


@dataclass(frozen=True)
class AutoregressiveModel:
  """A `Model` that draws frame after frame."""

  config: ModelConfig

  @property
  def network(self) -> AutoregressiveNetwork:
    return AutoregressiveNetwork(self.config)

  def init(self, key: jax.Array) -> Any:
    c = self.config.network
    return self.network.init(key, jnp.zeros((1, c.target_frames, c.mel_bands)), no_conditions(c))['params']

  def loss(self, params: Any, batch: dict[str, Any], key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    a = self.config.autoregressive
    dropout_key, context_key, noise_key = jax.random.split(key, 3)
    conditions = batch['conditions'].weakened(context_key, a.context_dropout, a.context_noise)
    before = shift_right(batch['targets'])
    if a.input_noise:
      before = before + a.input_noise * jax.random.normal(noise_key, before.shape)
    mean = self._loss(params, batch | {'conditions': conditions}, before, dropout_key)
    return mean, {'loss': mean}

  def evaluation_loss(self, params: Any, batch: dict[str, Any], key: jax.Array) -> dict[str, jax.Array]:
    del key  # nothing is drawn
    return {'loss': self._loss(params, batch, shift_right(batch['targets']))}

  def _loss(self, params, batch, before, dropout_key=None) -> jax.Array:
    """Squared error, or nats, a frame and band; no dropout without a key for it."""
    rngs: Any = {'dropout': dropout_key}
    deterministic = dropout_key is None
    said: Any = self.network.apply({'params': params}, before, batch['conditions'], deterministic, rngs=None if deterministic else rngs)
    targets = batch['targets']
    if self.config.autoregressive.output == 'deterministic':
      return masked_mean(jnp.square(said - targets), batch['targets_mask'])
    nats = mixture.negative_log_likelihood(said, targets) / targets.shape[-1]
    return masked_mean(nats[..., None], batch['targets_mask'])

  def predict(self, params: Any, conditions: Conditions, key: jax.Array, sampler: SamplerConfig) -> jax.Array:
    if key.ndim:  # one of each example: it is drawn as if it were alone
      alone = lambda conditions, key: self.predict(params, jax.tree.map(lambda x: x[None], conditions), key, sampler)[0]
      return jax.vmap(alone)(conditions, key)
    frames = self.decode(params, conditions, key)
    return scale(frames, self.config.mel) if self.config.targets == 'log_mel' else frames.clip(-1, 1)

  def decode(self, params: Any, conditions: Conditions, key: jax.Array) -> jax.Array:
    """Frames [B, T, D] in the units of the targets, one after another in one compiled scan: encoders, keys and values only once.

    Args:
      params: without boxes.
      conditions: of B segments.
      key: of jax.random, for the mixture and the dither.  One for all, or [B]: then a segment does not depend on the others.
    """
    network, c, a = self.network.bind({'params': params}), self.config.network, self.config.autoregressive
    memory, batch = network.encode(conditions), conditions.batch_size
    keys = key if key.ndim else jax.random.split(key, batch)

    def step(carry, index):
      before, past = carry
      said: Any
      said, past = network.step(before, index, past, memory)
      draw_keys, dither_keys = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, index)), out_axes=1)(keys)
      frame = said if a.output == 'deterministic' else jax.vmap(mixture.draw, (0, 0, None))(draw_keys, said, a.temperature)
      fed_back = frame
      if a.dither:
        fed_back = frame + a.dither * jax.vmap(lambda key: jax.random.normal(key, frame.shape[1:]))(dither_keys)
      return (fed_back, past), frame

    start = (jnp.zeros((batch, c.mel_bands)), network.new_past(batch))
    return jax.lax.scan(step, start, jnp.arange(c.target_frames))[1].swapaxes(0, 1)


def shift_right(targets: jax.Array) -> jax.Array:
  """[B, T, D] one frame later: a zero frame first, the last one left out."""
  return jnp.pad(targets, [(0, 0), (1, 0), (0, 0)])[:, :-1]
