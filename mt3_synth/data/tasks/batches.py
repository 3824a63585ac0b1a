"""Batches for the trainer from SeqIO tasks, in place of the Grain loader's."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import seqio
import tensorflow as tf

from mt3_synth.config import ModelConfig
from mt3_synth.data.drawing import generator
from mt3_synth.data.mixtures import rates
from mt3_synth.data.tasks.converters import converter_class, feature_lengths
from mt3_synth.data.tasks.tasks import synthesis, synthesis_with_context
from mt3_synth.errors import InputError

# tf.data can't start in the middle.  So the order of examples is drawn anew after so many batches, and a resumed run replays fewer.
SEEDED_BATCHES = 500


class TaskLoader:
  """Walks along the batches of a mixture of tasks.  Batch n is a function of (seed, n)."""

  def __init__(
    self,
    folders: Sequence[str | Path],
    config: ModelConfig,
    batch_size: int,
    seed: int,
    *,
    split: str = 'train',
    temperature: float = 1.0,
    max_visits: int = 0,
    too_long: Literal['thin', 'drop'] = 'drop',
    host: int = 0,
    hosts: int = 1,
  ):
    """Builds the tasks; registers nothing.

    Args:
      folders: prepared corpora.
      config: what an example is.
      batch_size: B, of all hosts together.
      seed: of every draw, 0 or more.
      split: of the corpora.
      temperature, max_visits: of `mixtures.rates`.
      too_long: as for the task.
      host, hosts: which part of each batch to make.

    Raises:
      InputError: a folder holds no such split, or `config` is of aligned notes.
    """
    self.seed, self.split, self.rows = seed, split, batch_size // hosts
    self.shard = seqio.ShardInfo(host, hosts)
    self.dropped, self._walk = 0, None
    make = synthesis_with_context if config.network.context_frames else synthesis
    make = partial(make, config=config, variant='train', too_long=too_long, report=self._report)
    tasks = [make(f'corpus_{n}', folder) for n, folder in enumerate(folders)]
    shares = rates([task.source.num_input_examples(split) or 0 for task in tasks], temperature, max_visits)
    self.mixture = seqio.Mixture('corpora', list(zip(tasks, shares.tolist(), strict=True)))
    self.lengths, self.converter = feature_lengths(config), converter_class(config)

  def walk(self, start: int = 0) -> 'TaskBatches':
    """Batches start, start + 1, ..., the next ones being made while the caller works."""
    return TaskBatches(self, start)

  def batch(self, index: int) -> dict[str, Any]:
    """This host's part of batch `index`; makes those before it too, unless it follows the one made last."""
    if self._walk is None or self._walk.get_state() != {'next_batch': index}:
      self._walk = self.walk(index)
    return next(self._walk)

  def dataset(self, start: int) -> tf.data.Dataset:
    """Batches from `start` to the next whole `SEEDED_BATCHES`, as the converter gives them."""
    run, skipped = divmod(start, SEEDED_BATCHES)
    dataset = seqio.get_dataset(
      self.mixture,
      self.lengths,
      self.converter(),
      self.split,
      shuffle=True,
      num_epochs=None,
      shard_info=self.shard,
      verbose=False,
      seed=int(generator(self.seed, run).integers(2**31)),
      batch_size=self.rows,
    )
    return dataset.take(SEEDED_BATCHES).skip(skipped).prefetch(2)

  def _report(self, dropped: int, seen: int) -> None:
    del dropped, seen
    self.dropped += 1


class TaskBatches:
  """A walk along the batches of a `TaskLoader`."""

  def __init__(self, loader: TaskLoader, start: int):
    self._loader = loader
    self._next = start
    self._iterator = None

  def __iter__(self):
    return self

  def __next__(self) -> dict[str, Any]:
    if self._iterator is None or self._next % SEEDED_BATCHES == 0:
      self._iterator = self._loader.dataset(self._next).as_numpy_iterator()
    try:
      features: Any = next(self._iterator)
    except tf.errors.OpError as e:
      fault = re.search('InputError: (.*)', e.message)
      if fault is None:
        raise
      raise InputError(fault[1]) from None
    self._next += 1
    return trainer_batch(features)

  @property
  def dropped(self) -> int:
    """Examples that had too many tokens, so far, those of batches made ahead too."""
    return self._loader.dropped

  def get_state(self) -> dict[str, int]:
    """All that `set_state` needs to go on after the batch given last, in any process."""
    return {'next_batch': self._next}

  def set_state(self, state: dict[str, int]) -> None:
    """Goes on where the state was taken."""
    self._next, self._iterator = state['next_batch'], None

  def close(self) -> None:
    self._iterator = None

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()


def trainer_batch(features: Mapping[str, Any]) -> dict[str, Any]:
  """What a converter gives, batched -> what the trainer's step takes."""
  batch = {
    'notes': features['encoder_input_tokens'],
    'targets': features['decoder_target_tokens'],
    'frames': features['decoder_target_mask'].sum(1, dtype=np.int32),
  }
  if 'encoder_continuous_inputs' in features:
    batch['targets_context'] = features['encoder_continuous_inputs']
    batch['context_frames'] = features['encoder_continuous_mask'].sum(1, dtype=np.int32)
  return batch
