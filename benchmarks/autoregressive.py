"""Frames a second of the autoregressive decoder, the published small model: one after another, keys and values of those before it kept.

`python -m benchmarks autoregressive`

A frame reads every weight of the decoder and every key and value it attends to once, and multiplies each by little: what it takes is the
memory's speed, which is measured beside it and is the floor.  The published code takes 10.7 s for 256 frames on two cores.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.sampling import medians
from mt3_synth.config import AutoregressiveConfig, ModelConfig, NetworkConfig
from mt3_synth.models.autoregressive import AutoregressiveModel
from mt3_synth.models.conditions import Conditions
from mt3_synth.training.step import new_params

SMALL = NetworkConfig(context_frames=0, position_encoding='fixed', mask_padding=False)
BATCHES = (1, 8)
TOKENS = 600  # of a row; its encoder hears padding, so rows are never cut
ROUNDS = 3


def bytes_per_frame(network: NetworkConfig, batch: int) -> float:
  """Weights of the decoder once, and the keys and values of each row, half of the frames being there on average."""
  c = network
  joined = c.num_heads * c.head_dim
  weights = c.decoder_layers * (6 * c.emb_dim * joined + 3 * c.emb_dim * c.mlp_dim) + 2 * c.mel_bands * c.emb_dim
  keys_values = c.decoder_layers * 2 * joined * (c.note_length + c.target_frames / 2)
  return 4 * (weights + batch * keys_values)


def memory_bytes_per_second(megabytes: int = 256) -> float:
  """What a sum over an array larger than the caches reads."""
  x = jnp.ones((megabytes, 1 << 18))
  (seconds,) = medians([partial(jax.jit(jnp.sum), x)])
  return x.nbytes / seconds


def run(network: NetworkConfig = SMALL, rounds: int = ROUNDS, batches: tuple[int, ...] = BATCHES) -> dict:
  """Measures whole segments, their encoding taken off.

  Returns:
    frames a second of all rows together, times real time, and how many times its floor a frame takes, for each batch size.
  """
  config = ModelConfig(network=network, decoder='autoregressive', autoregressive=AutoregressiveConfig())
  model, rng = AutoregressiveModel(config), np.random.default_rng(0)
  params = jax.tree.map(jnp.asarray, new_params(jax.random.key(0), model=model))
  decode = jax.jit(lambda params, told: model.decode(params, told, jax.random.key(0)))
  encode = jax.jit(lambda params, told: model.network.bind({'params': params}).encode(told))
  speed = memory_bytes_per_second()
  figures = {'memory_gigabytes_per_second': speed / 1e9}
  for batch in batches:
    tokens = rng.integers(3, network.vocab_size, (batch, min(TOKENS, network.note_length)))
    told = Conditions(jnp.asarray(np.pad(tokens, [(0, 0), (0, network.note_length - tokens.shape[1])]), jnp.int32))
    whole, encoding = medians([partial(decode, params, told), partial(encode, params, told)], rounds)
    frame = (whole - encoding) / network.target_frames
    floor = bytes_per_frame(network, batch) / speed
    figures |= {
      f'batch_{batch}_frames_per_second': batch / frame,
      f'batch_{batch}_times_real_time': batch * network.target_frames / whole / config.mel.frames_per_second,
      f'batch_{batch}_encoding_seconds': encoding,
      f'batch_{batch}_times_floor': frame / floor,
    }
  return figures
