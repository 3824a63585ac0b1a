"""What is measured on: the published sizes from their gin files, random parameters and random segments, made on the device."""

import dataclasses
import functools
import math
import threading
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from mt3_synth.audio.mel import samples_for
from mt3_synth.config import ModelConfig
from mt3_synth.gin_files import read_gin
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import Model, make_model
from mt3_synth.training.config import TrainConfig

DECODERS = {'diffusion': 'diffusion/context', 'autoregressive': 'ar/deterministic'}
VALID_TOKENS = 600  # of a segment's 2048, as music with several instruments has them
BUCKET = 1024  # the shortest row that holds them
TINY: dict[str, Any] = {  # for trying the benchmark itself
  'emb_dim': 32, 'num_heads': 2, 'head_dim': 16, 'encoder_layers': 1, 'decoder_layers': 1, 'mlp_dim': 64, 'note_length': 64,
  'target_frames': 16,
}  # fmt: skip

_making = threading.Lock()


@functools.cache
def config_of(decoder: str, size: str, tiny: bool = False) -> ModelConfig:
  file = f'gin_configs/models/{DECODERS[decoder]}/{size}.gin'
  config = read_gin(TrainConfig, [file], ["MODEL_DIR = 'unused'", "CORPORA = ('unused',)"]).spectrogram_model
  return with_network(config, **TINY, context_frames=min(config.network.context_frames, 16)) if tiny else config


def with_network(config: ModelConfig, **changes: Any) -> ModelConfig:
  return dataclasses.replace(config, network=dataclasses.replace(config.network, **changes))


def params_of(config: ModelConfig) -> Any:
  """Random parameters of about the spread they begin with, made once for equal sizes."""
  with _making:
    return _params_of(_sizes(config))


def shapes_of(config: ModelConfig) -> Any:
  """The same as shapes, to compile for."""
  return _shapes_of(_sizes(config))


@functools.cache
def _boxed_shapes(config) -> Any:
  return jax.eval_shape(make_model(config).init, jax.random.key(0))


def _shapes_of(config) -> Any:
  return nn.meta.unbox(_boxed_shapes(config))


def boxed(config: ModelConfig, params: Any) -> Any:
  """`params` with their axes' names, which the optimiser goes by."""
  return nn.meta.replace_boxed(_boxed_shapes(_sizes(config)), params)


def _sizes(config: ModelConfig) -> ModelConfig:
  """The same for all that have the same parameters."""
  return with_network(config.plain, dtype='float32', dropout=0.0)


@functools.cache
def _params_of(config):
  key = jax.random.key(0, impl='rbg')

  def draw(number, path, leaf):
    noise = jax.random.normal(jax.random.fold_in(key, number), leaf.shape)
    names = [each.key for each in path]
    if names[-1] == 'scale':
      return 1 + 0.1 * noise
    if names[-1] == 'kernel':
      noise = noise / math.sqrt(leaf.shape[0] * (config.network.head_dim if 'query' in names else 1))
    return noise

  leaves, tree = jax.tree_util.tree_flatten_with_path(_shapes_of(config))
  return jax.tree.unflatten(tree, [draw(number, *leaf) for number, leaf in enumerate(leaves)])


def tokens(batch: int, length: int, valid: int) -> jax.Array:
  """[B, N] of which `valid` are notes."""
  drawn = jax.random.randint(jax.random.key(1), (batch, length), 3, 1400)
  return jnp.where(jnp.arange(length) < valid, drawn, 0)


def conditions(config: ModelConfig, batch: int, length: int, valid: int) -> Conditions:
  """Notes and, where the model hears one, a whole context."""
  c = config.network
  notes = tokens(batch, length, valid)
  if not c.context_frames:
    return Conditions(notes)
  context = jax.random.uniform(jax.random.key(2), (batch, c.context_frames, c.mel_bands), minval=-1)
  return Conditions(notes, context, jnp.ones((batch, c.context_frames)))


def training_batch(model: Model, batch: int, length: int, valid: int) -> dict[str, Any]:
  """What the loader makes: int16 audio, its features still to be computed."""
  c, mel = model.config.network, model.config.mel

  def audio(seed, frames):
    return (3000 * jax.random.normal(jax.random.key(seed), (batch, samples_for(frames, mel)))).astype(jnp.int16)

  made = {'notes': tokens(batch, length, valid), 'audio': audio(3, c.target_frames), 'frames': jnp.full(batch, c.target_frames)}
  return made | {'context_audio': audio(4, c.context_frames), 'context_frames': jnp.full(batch, c.context_frames)}
