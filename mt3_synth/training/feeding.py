"""From corpora on disk to batches on the device."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import jax

from mt3_synth.data.loader import CropLoader
from mt3_synth.data.mixtures import Mixture, expand
from mt3_synth.data.sources import find_folder, open_source
from mt3_synth.errors import InputError
from mt3_synth.training.config import TrainConfig
from mt3_synth.training.partitioning import Rows, make_mesh, rows_of_this_process

Batch = dict[str, Any]


class Loader(Protocol):
  """What makes a run's batches; batch n is a function of the run's seed and n."""

  def batch(self, index: int) -> Batch:
    """Batch `index`."""
    ...

  def walk(self, start: int = 0) -> Any:
    """An iterator of batches from `start` on, a context manager with `set_state`, `get_state` and `dropped`."""
    ...


def make_loader(config: TrainConfig, split: str) -> Loader:
  """This process's part of a run's batches, for a spectrogram model.

  Args:
    config: which corpora, and how crops are drawn.
    split: train, or one to evaluate on.

  Raises:
    InputError: a corpus or its split is not there, or an option is out of its range.
  """
  mixture = expand(config.corpora, config.temperature)
  rows = rows_of_this_process(make_mesh(config.mesh), config.batch_size)
  if config.loader == 'seqio':
    return _seqio_loader(config, split, mixture, rows)
  return CropLoader(
    [open_source(corpus, split, config.data_dir) for corpus in mixture.corpora],
    config.spectrogram_model,
    config.batch_size,
    config.seed,
    temperature=mixture.temperature,
    max_visits=config.max_visits,
    crops_per_visit=config.crops_per_visit,
    too_long=config.too_long,
    workers=config.workers,
    host=rows.part,
    hosts=rows.parts,
  )


def _seqio_loader(config: TrainConfig, split: str, mixture: Mixture, rows: Rows) -> Loader:
  try:
    from mt3_synth.data.tasks.batches import TaskLoader
  except ImportError as e:
    raise InputError(f"loader 'seqio' needs SeqIO ({e}): pip install 'mt3_synth[data]', or train with loader 'grain'") from None
  for name, value, only in (('workers', config.workers, 0), ('crops_per_visit', config.crops_per_visit, 1)):
    if value != only:
      raise InputError(f"TrainConfig.{name} is {value}, which loader 'grain' alone can do; leave it at {only} with 'seqio'")
  return TaskLoader(
    [find_folder(corpus, config.data_dir) for corpus in mixture.corpora],
    config.spectrogram_model,
    config.batch_size,
    config.seed,
    split=split,
    temperature=mixture.temperature,
    max_visits=config.max_visits,
    too_long=config.too_long,
    host=rows.part,
    hosts=rows.parts,
  )


def on_device(batches: Any, put: Callable[[Batch], Any] = jax.device_put) -> Generator[tuple[Any, dict[str, Any]]]:
  """The same batches on the device, the next one being taken and copied while the caller works.

  Args:
    batches: a walk of a `Loader`.
    put: copies one to the device, or to several.

  Yields:
    A batch, and the walk's state after it: what `set_state` needs to go on with the next.
  """
  with ThreadPoolExecutor(1) as pool:
    take = lambda: (put(next(batches)), batches.get_state())
    pending = pool.submit(take)
    while True:
      ready, pending = pending.result(), pool.submit(take)
      yield ready
