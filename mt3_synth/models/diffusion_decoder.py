"""The denoising network: which noise, or which spectrogram, is in z."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from mt3_synth.models.decoder import Decoder, Memory
from mt3_synth.models.layers import Dense, time_signal
from mt3_synth.models.stack import PLACE


class DiffusionDecoder(Decoder):
  """z [B, T, D] at a noise level, under conditions -> the network's output [B, T, outputs]."""

  def setup(self):
    super().setup()
    self.time_emb_dense0 = Dense(4 * self.config.emb_dim, ('vocab', 'embed'), self.config.dtype)
    self.time_emb_dense1 = Dense(4 * self.config.emb_dim, ('vocab', 'embed'), self.config.dtype)

  def film(self, time):
    """FiLM of every layer [S, L, 2, 2E] for diffusion times [S]: depends on nothing else, so a walk computes it once."""
    # Placed as what it modulates: left alone, the compiler splits the features, and has to gather them and split the rows instead.
    place = lambda x: PLACE.get()(x, ('batch', 'embed'))
    x = place(nn.silu(self.time_emb_dense0(time_signal(time, self.config.emb_dim, self.config.max_noise_time))))
    x = place(nn.silu(self.time_emb_dense1(x)))
    return jnp.stack([PLACE.get()(layer.film(x), ('batch', 'length', 'embed')) for layer in self.layers], axis=1)

  def __call__(self, z, film, memory: Memory, deterministic: bool, twice: bool = False) -> Any:
    """What is said of z under the conditions; `twice`: and then, in as many rows again, without them (`Memory.beside`)."""
    if twice and memory.aligned is not None:  # both are told apart from the first layer on
      z, twice = jnp.concatenate([z, z]), False
    x = self.embed(z, self.Embed_0(z.shape[1]), memory, deterministic)
    output = self.read_out(self.walk(x, memory, deterministic, film, twice=twice), deterministic)
    if memory.level is None:
      return output
    bands = z.shape[-1]  # of x0_and_eps, the level is x0's
    return output + memory.level if self.outputs == bands else output.at[..., :bands].add(memory.level)
