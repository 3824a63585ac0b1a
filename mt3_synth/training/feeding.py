"""From corpora on disk to batches on the device."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from mt3_synth.data.loader import CropLoader
from mt3_synth.data.mixtures import expand
from mt3_synth.data.sources import open_source
from mt3_synth.training.config import TrainConfig

Batch = dict[str, Any]


def make_loader(config: TrainConfig, split: str) -> CropLoader:
  """This process's part of a run's batches.

  Args:
    config: which corpora, and how crops are drawn.
    split: train, or one to evaluate on.

  Raises:
    InputError: a corpus or its split is not there, or an option is out of its range.
  """
  mixture = expand(config.corpora, config.temperature)
  return CropLoader(
    [open_source(corpus, split, config.data_dir) for corpus in mixture.corpora],
    config.model,
    config.batch_size,
    config.seed,
    temperature=mixture.temperature,
    max_visits=config.max_visits,
    crops_per_visit=config.crops_per_visit,
    too_long=config.too_long,
    workers=config.workers,
    host=jax.process_index(),
    hosts=jax.process_count(),
  )


def on_device(batches: Iterator[Batch], put: Callable[[Batch], Any] = jax.device_put) -> Generator[Any]:
  """The same batches on the device, the next one being taken and copied while the caller works.

  Args:
    batches: host arrays, without end.
    put: copies one to the device, or to several.
  """
  with ThreadPoolExecutor(1) as pool:
    take = lambda: put(next(batches))
    pending = pool.submit(take)
    while True:
      ready, pending = pending.result(), pool.submit(take)
      yield ready
