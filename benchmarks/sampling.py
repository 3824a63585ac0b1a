"""Seconds of sampling for a second of audio, the small model: the published procedure against ours at 1000 and at 25 steps.

`python -m benchmarks sampling`

Both draw with the same layers, of random parameters: the time does not depend on them.  Both are measured in turn, so that other work on
the machine slows both alike.  A walk of 1000 steps is 1000 times a step, which is measured over STEPS of them.

A published step has two times.  The published code walks in one compiled scan, out of which XLA may move the keys and values of the
encodings, which do not change, though not what depends on the time; `guided_step_ratio` is against that.  `guided_step_alone_ratio` is
against a step compiled by itself, where nothing can be moved out.  Where the published code itself was measured, on two such cores, it took
3.0 s to encode and 0.54 s a guided step: twice what this baseline takes (docs/benchmarks.json) to encode and for a step by itself, but
over three times a step of its scan, so that figure is of a step out of which nothing was moved.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import published
from mt3_synth.config import ModelConfig, NetworkConfig, SamplerConfig
from mt3_synth.diffusion import samplers
from mt3_synth.models import drawing, operations
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import make_model
from mt3_synth.training.step import new_params

TOKENS = 200  # of a segment, its end included
STEPS = 20
ROUNDS = 5
MANY, FEW = 1000, 25
GUIDANCE = 2.0


def segment(network: NetworkConfig, length: int) -> Conditions:
  """Random conditions: TOKENS tokens in a row of `length`, and a whole context."""
  rng = np.random.default_rng(0)
  tokens = np.pad(rng.integers(3, 1400, TOKENS), (0, length - TOKENS))[None].astype(np.int32)
  context = rng.uniform(-1, 1, (1, network.context_frames, network.mel_bands)).astype(np.float32)
  return Conditions(jnp.asarray(tokens), jnp.asarray(context), jnp.ones((1, network.context_frames)))


def matmul_flops_per_second(network: NetworkConfig, rows: int) -> tuple[float, float]:
  """What the device makes of the MLP's product with so many rows at once, a second and a processor second."""
  a, b = jnp.ones((rows, network.emb_dim)), jnp.ones((network.emb_dim, network.mlp_dim))
  ((wall, processor),) = clocked([partial(jax.jit(jnp.matmul), a, b)], rounds=50)
  flops = 2 * a.shape[0] * b.shape[0] * b.shape[1]
  return flops / wall, flops / processor


def clocked(calls: list[Callable[[], Any]], rounds: int = ROUNDS) -> list[tuple[float, float]]:
  """Median seconds and processor seconds of each call, all called in turn in each round; compiled before the first.

  Processor seconds are those of all threads of this process: other work on the machine stretches them little.
  """
  seconds = []
  for _ in range(rounds + 1):
    seconds.append([])
    for call in calls:
      start = time.perf_counter(), time.process_time()
      jax.block_until_ready(call())
      seconds[-1].append((time.perf_counter() - start[0], time.process_time() - start[1]))
  return [(wall, processor) for wall, processor in np.median(seconds[1:], axis=0).tolist()]


def medians(calls: list[Callable[[], Any]], rounds: int = ROUNDS) -> list[float]:
  """The seconds of `clocked`."""
  return [wall for wall, _ in clocked(calls, rounds)]


def run(network: NetworkConfig | None = None, steps: int = STEPS, rounds: int = ROUNDS) -> dict:
  """Measures a segment: its encoding, a guided step, and from these the seconds of a whole walk.

  Returns:
    seconds of each, published and ours; the ratios; and the floor: the operations that are left, over the speed of a matrix product.
  """
  config = ModelConfig(network=network or NetworkConfig())
  network, model = config.network, make_model(config)
  params = jax.tree.map(jnp.asarray, new_params(jax.random.key(0), model=model))
  length = min(bucket for bucket in network.token_buckets if bucket >= TOKENS)
  long, short = segment(network, network.note_length), segment(network, length)
  key, how = jax.random.key(0), SamplerConfig('ddpm', steps + 1, GUIDANCE)
  bound = lambda params: model.network.bind({'params': params})

  @jax.jit
  def published_encode(params, conditions):
    with published.published_attention():
      return published.encode(bound(params), conditions)

  @jax.jit
  def published_walk(params, encodings, key):
    with published.published_attention():
      return same_attention_walk(params, encodings, key)

  @jax.jit
  def same_attention_walk(params, encodings, key):
    return walk(lambda z, level: published.denoise(bound(params), config, z, level, encodings, GUIDANCE), key)

  @jax.jit
  def published_step(params, encodings, z, level):
    with published.published_attention():
      return published.denoise(bound(params), config, z, level, encodings, GUIDANCE)

  @jax.jit
  def our_encode(params, conditions):
    return bound(params).encode(conditions)

  @jax.jit
  def our_begin(params, conditions, key):
    return drawing.begin(bound(params), config, conditions, key, how)

  @jax.jit
  def our_walk(params, begun):
    return drawing.proceed(bound(params), config, begun, begun.transitions, how).state

  def walk(denoise, key):
    shape = (1, network.target_frames, network.mel_bands)
    state, transitions, _ = samplers.start(key, samplers.levels_of(how), shape, how)
    return samplers.walk(state, denoise, transitions, how)

  encodings, begun = published_encode(params, long), our_begin(params, short, key)
  level = jax.tree.map(lambda x: x[0], begun.transitions.here)
  encode_published, encode_ours = medians([lambda: published_encode(params, long), lambda: our_encode(params, short)], rounds)
  walk_published, walk_ours, lone_step, walk_same_attention = medians(
    [
      lambda: published_walk(params, encodings, key),
      lambda: our_walk(params, begun),
      lambda: published_step(params, encodings, begun.state.z, level),
      lambda: same_attention_walk(params, encodings, key),
    ],
    rounds,
  )
  step_published, step_ours = walk_published / steps, walk_ours / steps
  flops, _ = matmul_flops_per_second(network, 2 * network.target_frames)  # both passes' rows
  keys = length + network.context_frames
  step_floor = operations.guided_step(network, keys) / flops
  encode_floor = (operations.encoders(network, length) + operations.keys_values(network, keys)) / flops
  audio = network.target_frames / config.mel.frames_per_second
  figures = {
    'published_encode_seconds': encode_published,
    'encode_seconds': encode_ours,
    'encode_ratio': encode_published / encode_ours,
    'encode_floor_seconds': encode_floor,
    'encode_times_floor': encode_ours / encode_floor,
    'published_guided_step_seconds': step_published,
    'published_guided_step_alone_seconds': lone_step,  # nothing can be moved out of a loop
    'published_guided_step_with_our_attention_seconds': walk_same_attention / steps,
    'guided_step_seconds': step_ours,
    'guided_step_ratio': step_published / step_ours,
    'guided_step_alone_ratio': lone_step / step_ours,
    'guided_step_with_our_attention_ratio': walk_same_attention / steps / step_ours,
    'guided_step_floor_seconds': step_floor,
    'guided_step_times_floor': step_ours / step_floor,
    'matmul_gflops_per_second': flops / 1e9,
  }
  whole_published = (encode_published + MANY * step_published) / audio
  figures['published_seconds_per_audio_second'] = whole_published
  for count in (MANY, FEW):
    ours = (encode_ours + count * step_ours) / audio
    figures |= {f'steps_{count}_seconds_per_audio_second': ours, f'steps_{count}_ratio': whole_published / ours}
  return figures
