"""Preprocessors of tasks: functions tf.data.Dataset -> tf.data.Dataset around the numpy functions that every loader uses."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import seqio
import tensorflow as tf

from mt3_synth.audio.mel import log_mel as mel_of
from mt3_synth.config import MelConfig, ModelConfig
from mt3_synth.data.drawing import draw_starts, generator
from mt3_synth.data.examples import Crops
from mt3_synth.data.pieces import PIECE_FRAMES
from mt3_synth.data.tasks.callbacks import call_numpy
from mt3_synth.data.tasks.source import decode_excerpt
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes.codec import PAD
from mt3_synth.notes.tokenize import TooLong

Lengths = Mapping[str, int] | None
Report = Callable[[int, int], None]
Take = Callable[[Crops, int, Any], dict[str, Any]]


@functools.partial(seqio.map_over_dataset, num_seeds=1)
def random_start(example: dict, seed: tf.Tensor, *, frames: int) -> dict:
  """`start`, the first frame of the piece that is visited -> where a target of `frames` frames begins, drawn anew each time."""

  def draw(seed, first, song_frames):
    rng = generator(*np.asarray(seed).astype(np.uint32).tolist())
    return draw_starts(rng, first // PIECE_FRAMES, int(song_frames), frames)[0].astype(np.int32)

  return example | {'start': call_numpy(draw, [seed, example['start'], example['song_frames']], (tf.int32, []))}


def crop(
  dataset: tf.data.Dataset, *, config: ModelConfig, take: Take, too_long: TooLong, sequence_length: Lengths = None
) -> tf.data.Dataset:
  """`excerpt`, `start` -> `inputs` and the audio of the target and its context.

  Args:
    dataset: examples of `ExcerptSource`.
    config: notes, lengths.
    take: `drawing.draw_example`, or `Crops.crop`, which warns where it leaves out notes.
    too_long: its last argument; 'drop' gives empty `inputs`.
    sequence_length: given by SeqIO; `inputs` in it is the room for tokens.  Targets and contexts are as long as `config` says.

  Returns:
    with inputs int32 [up to N], EOS at the end; int16 audio, int32 frames; where there is a context, context_audio, context_frames: all but
    the tokens as of `Crops.crop`.

  Raises:
    InputError: `sequence_length` asks for another target or context than the task was made for.
  """
  config = _with_lengths(config, sequence_length)
  outputs = {'notes': (tf.int32, [None]), 'audio': (tf.int16, [None]), 'frames': (tf.int32, [])}
  if config.network.context_frames:
    outputs |= {'context_audio': (tf.int16, [None]), 'context_frames': (tf.int32, [])}

  def read(excerpt, start):
    example = take(Crops(decode_excerpt(excerpt), config), int(start), too_long)
    example['notes'] = example['notes'][example['notes'] != PAD]
    return [example[name] for name in outputs]

  def cropped(example):
    rest = {name: value for name, value in example.items() if name != 'excerpt'}
    crop = dict(zip(outputs, call_numpy(read, [example['excerpt'], example['start']], *outputs.values()), strict=True))
    return rest | crop | {'inputs': crop.pop('notes'), 'segment': example['start'] // config.network.target_frames}

  return dataset.map(cropped, num_parallel_calls=tf.data.AUTOTUNE)


def drop_too_long(dataset: tf.data.Dataset, *, report: Report | None = None) -> tf.data.Dataset:
  """Without the examples whose tokens had no room (`inputs` is empty).

  Args:
    dataset: of `crop`.
    report: is told (dropped, of how many) at each one dropped; by default a warning at the 1st, 2nd, 4th, 8th ...
  """
  counts = {'dropped': 0, 'seen': 0}
  report = report or _warn

  def keep(tokens):
    counts['seen'] += 1
    if not len(tokens):
      counts['dropped'] += 1
      report(counts['dropped'], counts['seen'])
    return np.bool_(len(tokens) > 0)

  return dataset.filter(lambda example: call_numpy(keep, [example['inputs']], (tf.bool, []), stateful=True))


def log_mel(dataset: tf.data.Dataset, *, config: ModelConfig) -> tf.data.Dataset:
  """audio -> `targets` float32 [frames, D], context_audio -> `targets_context` [context_frames, D] (where there is a context)."""
  network, mel = config.network, config.mel
  cpu = _cpu()

  def features(audio, frames, count):
    with jax.default_device(cpu):
      return np.asarray(_log_mel(audio, mel, count))[:frames]

  def with_features(example):
    of = lambda audio, frames, count: call_numpy(functools.partial(features, count=count), [audio, frames], (tf.float32, [None, mel.bands]))
    added = {'targets': of(example['audio'], example['frames'], network.target_frames)}
    if network.context_frames:
      added['targets_context'] = of(example['context_audio'], example['context_frames'], network.context_frames)
    return example | added

  return dataset.map(with_features, num_parallel_calls=tf.data.AUTOTUNE)


def keep(dataset: tf.data.Dataset, *, features: tuple[str, ...]) -> tf.data.Dataset:
  """Examples with these features alone, so that what is shuffled and batched is small."""
  return dataset.map(lambda example: {name: example[name] for name in features})


@functools.partial(jax.jit, static_argnums=(1, 2))
def _log_mel(audio, mel: MelConfig, frames: int):
  return mel_of(audio, mel, frames)


def _cpu() -> Any:
  try:
    return jax.local_devices(backend='cpu')[0]
  except RuntimeError:
    raise InputError('JAX sees no CPU, on which tf.data computes spectrograms; add it, as in JAX_PLATFORMS=cuda,cpu') from None


def _with_lengths(config: ModelConfig, sequence_length: Lengths) -> ModelConfig:
  network = config.network
  made_for = {'inputs': network.note_length, 'targets': network.target_frames, 'targets_context': network.context_frames}
  asked = {name: length for name, length in (sequence_length or {}).items() if name in made_for and length is not None}
  for name in ('targets', 'targets_context'):
    if made_for[name] and asked.get(name, made_for[name]) != made_for[name]:
      raise InputError(
        f'task_feature_lengths: {name} is {asked[name]}, the task was made for {made_for[name]}; register it with other lengths'
      )
  return dataclasses.replace(config, network=dataclasses.replace(network, note_length=asked.get('inputs', network.note_length)))


def _warn(dropped: int, seen: int) -> None:
  if dropped & (dropped - 1) == 0:
    warnings.warn(f'{dropped} of {seen} examples had more tokens than there is room for, and were dropped', InputWarning, stacklevel=2)
