"""Batches of random crops, made by Grain.

Batch n of a run is a function of (seed, n): each epoch's order of visits, the corpus of each example and where its target starts are
computed from indices alone.  So a loader's state is one number, the next batch; a resumed run sees what the uninterrupted one would, on any
number of threads, worker processes and hosts, and nothing is replayed.  What is kept of visits already read only saves reading.

Grain's indices, rather than its iterators' states, because those hold one state for each worker process and fit no other number of them.
"""

import math
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import grain
import jax
import numpy as np
from absl import flags

from mt3_synth.config import ModelConfig
from mt3_synth.data.drawing import TooLong, Visits, draw_example, draw_starts, dropped, generator
from mt3_synth.data.examples import Crops
from mt3_synth.data.mixtures import rates
from mt3_synth.data.sources import Source, check_features
from mt3_synth.errors import InputError

THREADS = 2  # of a process that makes batches; numpy and the reader let go of the interpreter only for a part of their time
AHEAD = 2  # batches made before they are asked for


class Place(NamedTuple):
  """One visit of an endless series of epochs."""

  corpus: int
  visit: int  # counts on from epoch to epoch
  song: int
  piece: int


class CropLoader:
  """Random access to batches of crops, and walks along them."""

  def __init__(
    self,
    sources: Sequence[Source],
    config: ModelConfig,
    batch_size: int,
    seed: int,
    *,
    temperature: float = 1.0,
    max_visits: int = 0,
    crops_per_visit: int = 1,
    too_long: TooLong = 'thin',
    workers: int = 0,
    host: int = 0,
    hosts: int = 1,
  ):
    """Plans the batches; reads nothing yet.

    Args:
      sources: the corpora.
      config: what an example is.
      batch_size: B, of all hosts together.
      seed: of every draw, 0 or more.
      temperature, max_visits: how the visits of an epoch of each corpus become its share of the examples (`mixtures.rates`).
      crops_per_visit: 1 makes all examples independent.  More read a disk less often; the crops of a visit are in different batches.
      too_long: of `draw_example`.
      workers: processes that share the making of each batch; 0 makes them in threads of this process.
      host, hosts: which part of each batch to make: rows [host * B / hosts, (host + 1) * B / hosts).

    Raises:
      InputError: there is no song to draw from, or a number is out of its range.
    """
    check_features(config.mel)
    if not sources:
      raise InputError('no songs to draw crops from')
    for name, value, least in (
      ('batch_size', batch_size, 1),
      ('seed', seed, 0),
      ('crops_per_visit', crops_per_visit, 1),
      ('workers', workers, 0),
    ):
      if value < least:
        raise InputError(f'{name} is {value}, expected at least {least}')
    if batch_size % (hosts * max(workers, 1)):
      parts = f'{hosts} hosts' if workers < 2 else f'{hosts} x {workers} hosts x workers'
      raise InputError(f'a batch of {batch_size} can not be shared evenly among {parts}; give a multiple')
    self.rows, self.hosts = batch_size // hosts, hosts
    self.token_buckets = config.network.token_buckets
    self.workers = workers
    places = _places(sources, config.network.target_frames, seed, temperature, max_visits)
    self.examples = grain.MapDataset.source(
      _Examples(places, sources, config, seed, crops_per_visit, too_long, batch_size, self.rows, host)
    )

  def batch(self, index: int) -> dict[str, Any]:
    """This host's part of batch `index`: the arrays of `Crops.crop`, stacked to [B / hosts, ...]."""
    batch: Any = self.examples.batch(self.rows)[index]
    return self.cut(batch)

  def cut(self, batch: dict[str, Any]) -> dict[str, Any]:
    """The same with token rows as short as the longest lets them be, where no other host makes rows that would have to fit."""
    notes = batch.get('notes')
    if not isinstance(notes, np.ndarray) or self.hosts > 1:  # aligned notes are a dict
      return batch
    longest = ((notes > 0) * np.arange(1, notes.shape[1] + 1)).max()
    return batch | {'notes': notes[:, : min(length for length in self.token_buckets if length >= longest)]}

  def walk(self, start: int = 0) -> 'Batches':
    """Batches start, start + 1, ..., the next ones being made while the caller works.  Close it."""
    return Batches(self, start)

  def iterator(self, start: int) -> grain.DatasetIterator:
    """Grain's own iterator over batches start, start + 1, ...; its state counts from `start`."""
    examples = self.examples[start * self.rows :]
    if not self.workers:
      return iter(examples.batch(self.rows).to_iter_dataset(grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=AHEAD)))
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()  # Grain reads absl's flags before it starts processes; this is no program of absl's
    # Each worker makes a part of each batch, so that the crops of a visit come to the same worker.
    parts = examples.batch(self.rows // self.workers).to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=1))
    parts = parts.mp_prefetch(grain.MultiprocessingOptions(num_workers=self.workers, per_worker_buffer_size=AHEAD))
    return iter(parts.batch(self.workers, batch_fn=_join))


class Batches:
  """A walk along a loader's batches.

  Attributes:
    dropped: examples without tokens that it has given so far (`draw_example`).
  """

  def __init__(self, loader: CropLoader, start: int):
    self._loader = loader
    self._next = start
    self._iterator = None
    self.dropped = 0

  def __iter__(self):
    return self

  def __next__(self) -> dict[str, Any]:
    if self._iterator is None:
      self._iterator = self._loader.iterator(self._next)
    batch = next(self._iterator)
    self._next += 1
    self.dropped += dropped(batch)
    return self._loader.cut(batch)

  def get_state(self) -> dict[str, int]:
    """All that `set_state` needs to go on after the batch given last, in any process."""
    return {'next_batch': self._next}

  def set_state(self, state: dict[str, int]) -> None:
    """Goes on where the state was taken.

    Raises:
      InputError: it is no state of `get_state`.
    """
    start = state.get('next_batch')
    if not isinstance(start, int) or start < 0:
      raise InputError(f"state of a loader: next_batch is {start!r}, expected a number from 0 on; it is another loader's")
    self.close()
    self._next = start

  def close(self) -> None:
    """Ends the threads or worker processes."""
    if self._iterator is not None:
      self._iterator.close()
      self._iterator = None

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()


class _Examples:
  """One host's examples, without end: example i is row i % rows of its part of batch i // rows."""

  def __init__(self, places, sources, config, seed, crops_per_visit, too_long, batch_size, rows, host):
    self.places: Sequence[Place] = places
    self.sources = sources
    self.config = config
    self.seed = seed
    self.crops_per_visit = crops_per_visit
    self.too_long: TooLong = too_long
    self.batch_size, self.rows, self.host = batch_size, rows, host
    # Crop k of visit v is example (v - (K - 1 - k) spacing) K + k of all hosts: more than a batch from the visit's other crops, and at
    # nearly the same row, so that the host and the worker that have read the visit make it.
    self.spacing = math.lcm(batch_size, crops_per_visit) // crops_per_visit
    self.open = _Open(self._read)

  def __len__(self) -> int:
    return sys.maxsize

  def __getitem__(self, index: int) -> dict[str, Any]:
    batch, row = divmod(int(index), self.rows)
    at, crop = divmod(batch * self.batch_size + self.host * self.rows + row, self.crops_per_visit)
    newest = at + (self.crops_per_visit - 1) * self.spacing
    visit = newest - crop * self.spacing
    # Threads are up to so many visits apart from one another.
    slack = THREADS * self.batch_size // self.crops_per_visit + 1
    crops, starts = self._read(visit) if self.crops_per_visit == 1 else self.open(visit, range(at - slack, newest + slack))
    return draw_example(crops, int(starts[crop]), self.too_long)

  def _read(self, number: int) -> tuple[Crops, np.ndarray]:
    place = self.places[number]
    source = self.sources[place.corpus]
    crops = source.crops(place.song, place.piece, self.config)
    rng = generator(self.seed, place.corpus, place.visit)
    target_frames = self.config.network.target_frames
    return crops, draw_starts(rng, place.piece, crops.excerpt.song_frames, target_frames, self.crops_per_visit)


class _Open:
  """The visits whose crops are being drawn, each read once; threads that ask for the same at once wait for one to read it."""

  def __init__(self, read: Callable[[int], Any]):
    self.read = read
    self.results: dict[int, Future] = {}
    self.lock = threading.Lock()

  def __call__(self, number: int, window: range) -> Any:
    """Visit `number`; those outside the window are closed."""
    with self.lock:
      result, mine = self.results.get(number), number not in self.results
      if result is None:
        for closed in [each for each in self.results if each not in window]:
          del self.results[closed]
        result = self.results[number] = Future()
    if mine:
      try:
        result.set_result(self.read(number))
      except BaseException as e:
        result.set_exception(e)
    return result.result()

  def __reduce__(self):
    return _Open, (self.read,)


def _places(sources, target_frames, seed, temperature, max_visits) -> Any:
  """Every place that is visited, without end."""
  epochs = [Visits(source.song_frames, target_frames) for source in sources]
  streams = []
  for number, visits in enumerate(epochs):
    shuffle_seed = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])  # Grain adds the epoch to it
    stream = grain.MapDataset.source(visits).shuffle(seed=shuffle_seed).repeat()
    streams.append(stream.map_with_index(lambda visit, place, number=number: Place(number, visit, *place)))
  shares = rates([len(visits) for visits in epochs], temperature, max_visits)
  return grain.MapDataset.mix(streams, shares.tolist()) if len(streams) > 1 else streams[0]


def _join(parts):
  return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)
