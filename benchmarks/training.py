"""Seconds of a training step: the small model against the published way, where they go, and the tiny model's two kinds of conditions.

`python -m benchmarks training`

All that is compared is measured in turn, so that other work on the machine slows all alike, and by two clocks: the wall's, and the seconds
that all processors spent on this process, which other work stretches little.  Shares, ratios and times of the floor are of the second.
Where `cores_kept_busy` is well below the machine's number of cores, something else ran beside, and the wall's seconds say little.

The ratios are against the published way with this package's own layers (`published.PublishedModel`).  The published code itself took 30.6 s
(within a fifth) for this step of two rows, the wall's seconds on two quiet cores of the same kind: float32, 2048 tokens in a row whatever
the notes, 256 frames of targets and of context, dropout, Adafactor.  `times_as_fast_as_the_published_code` is that over our wall's seconds.
"""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.features import best_seconds
from benchmarks.griffin_lim import music
from benchmarks.published import PublishedModel
from benchmarks.sampling import clocked, matmul_flops_per_second
from mt3_synth.audio.mel import samples_for
from mt3_synth.config import ModelConfig, NetworkConfig
from mt3_synth.data.loader import CropLoader
from mt3_synth.data.songs import Song
from mt3_synth.data.sources import SongsInMemory
from mt3_synth.gin_files import read_gin
from mt3_synth.models import operations
from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.layers import GatedMLP, MultiHeadAttention
from mt3_synth.models.model import Model, make_model
from mt3_synth.notes import Notes
from mt3_synth.training.config import OptimizerConfig, TrainConfig
from mt3_synth.training.optimizer import make_optimizer
from mt3_synth.training.step import initial_state, new_state, train_step

GIN_FILE = 'gin_configs/models/diffusion/context/tiny.gin'
TOKENS = 2048  # the published row; padded to it, as in training
SECONDS = 60
BATCH = 8
STEPS = 10
ROWS = 2  # of the small model's batch
TYPICAL = 400  # tokens of a segment
ROUNDS = 3
PART_ROUNDS = 3
PUBLISHED_CODE_SECONDS = 30.6  # of a step of ROWS rows, see above


def song(seconds: float = SECONDS, seed: int = 0) -> Song:
  """A minute of four parts, sixteen notes a second."""
  rng = np.random.default_rng(seed)
  onsets = np.arange(0, seconds - 1, 1 / 16).tolist()
  rows = [
    (t, t + float(rng.uniform(0.1, 1)), int(rng.integers(36, 84)), int(rng.integers(40, 120)), 8 * (n % 4)) for n, t in enumerate(onsets)
  ]
  return Song('benchmark', Notes.from_rows(rows), (music(seconds, seed) * 8000).astype(np.int16))


def updates(config: TrainConfig, loader: CropLoader) -> Iterator[float]:
  """Makes one update after another, the features of its crops computed within, and gives the seconds of each; compiled before the first."""
  model, tx = make_model(config.spectrogram_model), make_optimizer(config.optimizer, config.total_steps)
  state = initial_state(jax.random.key(0), model=model, tx=tx)
  batches = [loader.batch(n) for n in range(4)]
  for n in itertools.count():
    start = time.perf_counter()
    state, _ = train_step(state, batches[n % 4], jax.random.key(1), model=model, tx=tx, ema_decay=config.ema_decay)
    jax.block_until_ready(state)
    if n >= len(batches):  # their rows may be cut to different lengths
      yield time.perf_counter() - start


def with_tokens(model: ModelConfig) -> ModelConfig:
  return dataclasses.replace(model, network=dataclasses.replace(model.network, conditioning='tokens', note_length=TOKENS))


def crops(network: NetworkConfig, tokens: int, length: int, rows: int = ROWS) -> dict[str, np.ndarray]:
  """Random crops with so many tokens in rows of `length`."""
  rng = np.random.default_rng(0)
  sound = lambda frames: rng.integers(-9000, 9000, (rows, samples_for(frames))).astype(np.int16)
  return {
    'notes': np.pad(rng.integers(3, 1400, (rows, tokens)), [(0, 0), (0, length - tokens)]).astype(np.int32),
    'audio': sound(network.target_frames),
    'frames': np.full(rows, network.target_frames, np.int32),
    'context_audio': sound(network.context_frames),
    'context_frames': np.full(rows, network.context_frames, np.int32),
  }


def steps_of(model: Model, batch: dict[str, Any]) -> Callable[[], Any]:
  """One update after another on the same batch, Adafactor at a constant rate, as published; compiled."""
  tx = make_optimizer(OptimizerConfig(), 1)
  shapes, rng = jax.eval_shape(lambda key: nn.meta.unbox(model.init(key)), jax.random.key(0)), np.random.default_rng(0)
  # Drawn by numpy: compiling the model's own draws takes longer than all that is measured.
  params = jax.tree.map(lambda x: jnp.asarray(rng.normal(scale=x.shape[0] ** -0.5, size=x.shape), jnp.float32), shapes)
  states, key = [new_state(params, tx)], jax.random.key(1)
  update = train_step.lower(states[0], batch, key, model=model, tx=tx, ema_decay=0.999).compile()

  def step():
    state, metrics = update(states.pop(), batch, key)
    states.append(state)
    return metrics

  return step


def parts(network: NetworkConfig, length: int, rows: int = ROWS) -> dict[str, float]:
  """Processor seconds of attention, MLPs, the embedding and the features in a step: each kind's layers alone, forwards and backwards."""
  c, key = network, jax.random.key(0)
  keys = length + c.context_frames
  stacks = ((length, c.encoder_layers), (c.context_frames, c.encoder_layers), (c.target_frames, c.decoder_layers))
  noise = lambda n: jax.random.normal(key, (rows, n, c.emb_dim))

  def processor_seconds(call, *arrays) -> float:
    ((_, seconds),) = clocked([partial(jax.jit(call), *arrays)], PART_ROUNDS)
    return seconds

  def of_layer(module, *arrays, **how) -> float:
    params = nn.meta.unbox(module.init(key, *arrays, **how))

    def both_ways(weight, *arrays):  # the weight is told when called: what a compiler knows of it, it leaves out
      value, back = jax.vjp(partial(module.apply, **how), *arrays)
      return value, back(weight)

    return processor_seconds(both_ways, arrays[0], params, *arrays)

  attention = sum(layers * of_layer(Attention(c), noise(n), noise(n)) for n, layers in stacks)
  attention += c.decoder_layers * of_layer(Attention(c), noise(c.target_frames), noise(keys))
  mlp = sum(layers * of_layer(GatedMLP(c), noise(n), deterministic=True) for n, layers in stacks)
  batch, model = crops(c, length, length, rows), make_model(ModelConfig(network=c))
  table = jnp.zeros((c.vocab_size, c.emb_dim))
  embedding = processor_seconds(looked_up, noise(length), table, jnp.asarray(batch['notes']))
  features = processor_seconds(lambda batch: to_model_batch(batch, model)['targets'], batch)
  return {'attention': attention, 'mlp': mlp, 'embedding': embedding, 'data': features}


def looked_up(weight, table, tokens):
  """The tokens' rows [B, N, E] of a table, and the table's gradient where theirs is `weight`."""
  value, back = jax.vjp(lambda table: jnp.take(table, tokens, axis=0), table)
  return value, back(weight)


class Attention(nn.Module):
  """An attention with the projections of its own keys and values."""

  config: NetworkConfig

  @nn.compact
  def __call__(self, x, memory):
    layer = MultiHeadAttention(self.config)
    return layer(x, layer.project(memory), jnp.ones((len(x), 1, memory.shape[1])))


def against_published(network: NetworkConfig | None = None, typical: int = TYPICAL, rounds: int = ROUNDS, rows: int = ROWS) -> dict:
  """Measures the small model's step with whole rows, and with those of a typical segment.

  Returns:
    seconds of both and of the published way, which takes whole rows always, by the wall's clock and the processors', the ratios, how far
    ours are from the products' own time, and the share of each kind of work.
  """
  network = network or NetworkConfig()
  config, whole = ModelConfig(network=network), network.note_length
  length = min(bucket for bucket in network.token_buckets if bucket >= typical)
  ours, full = make_model(config), crops(network, whole, whole, rows)
  calls = [steps_of(PublishedModel(config), full), steps_of(ours, full), steps_of(ours, crops(network, typical, length, rows))]
  published, whole_rows, cut_rows = clocked(calls, rounds)
  _, flops = matmul_flops_per_second(network, rows * whole)
  figures = {
    'small_batch_size': rows,
    'matmul_gflops_per_processor_second': flops / 1e9,
    'published_step_seconds': published[0],
    'published_step_processor_seconds': published[1],
    'cores_kept_busy': published[1] / published[0],
  }
  for tokens, computed, (wall, processor) in ((whole, whole, whole_rows), (typical, length, cut_rows)):
    figures[f'step_seconds_{tokens}_tokens'] = wall
    figures[f'step_processor_seconds_{tokens}_tokens'] = processor
    figures[f'ratio_{tokens}_tokens'] = published[1] / processor
    figures[f'times_as_fast_as_the_published_code_{tokens}_tokens'] = PUBLISHED_CODE_SECONDS / wall
    figures[f'times_floor_{tokens}_tokens'] = processor / (rows * operations.training_step(network, computed) / flops)
    shares = {name: part / processor for name, part in parts(network, computed, rows).items()}
    figures |= {f'share_of_{name}_{tokens}_tokens': share for name, share in shares.items()}
  return figures


def run() -> dict:
  """Both comparisons."""
  return against_published() | kinds_of_conditions()


def kinds_of_conditions(batch_size: int = BATCH, steps: int = STEPS) -> dict:
  """Measures the tiny model with both kinds of conditions with the same decoder, context, optimiser and crops.

  Returns:
    steps and examples a second of both (of the median step), and the ratio; batches a second that the loader makes of either on one core,
    and how much faster that is than they are used.
  """
  config = read_gin(TrainConfig, [GIN_FILE], ["MODEL_DIR = 'unused'", "CORPORA = ('unused',)"])
  models = {'aligned': config.spectrogram_model, f'tokens_{TOKENS}': with_tokens(config.spectrogram_model)}
  piece = song()
  loaders = {name: CropLoader([SongsInMemory([piece])], model, batch_size, seed=0) for name, model in models.items()}
  running = {name: updates(dataclasses.replace(config, model=model), loaders[name]) for name, model in models.items()}
  # In turn, so that other work on the machine slows both alike.
  seconds = [{name: next(each) for name, each in running.items()} for _ in range(steps)]
  figures: dict = {'tiny_batch_size': batch_size}
  for name, loader in loaders.items():
    speed = 1 / float(np.median([each[name] for each in seconds]))
    batches = 1 / best_seconds(lambda loader=loader: loader.batch(0))
    figures[f'{name}_steps_per_second'] = speed
    figures[f'{name}_examples_per_second'] = speed * batch_size
    figures[f'{name}_loader_batches_per_second'] = batches
    figures[f'{name}_loader_times_as_fast_as_training'] = batches / speed
  fast, slow = (figures[f'{name}_steps_per_second'] for name in models)
  return figures | {'ratio': fast / slow}
