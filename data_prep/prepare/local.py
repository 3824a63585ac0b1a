"""Writes shards with processes of this machine.

Processes of our own, not a pool's: a pool does not say which of its tasks a killed process had, and can't be stopped in the middle of one.
"""

import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tqdm import tqdm

from data_prep.prepare.plan import Shard
from data_prep.prepare.shard import Written, remove_parts, write_shard
from mt3_synth.errors import InputError

_spawn = multiprocessing.get_context('spawn')  # forking a process that has threads (TensorFlow's, ArrayRecord's) can hang


def write_locally(shards: Sequence[Shard], folder: Path, *, workers: int) -> None:
  """Writes shards, each by one process, with a progress bar.

  Args:
    shards: what to write.
    folder: where.
    workers: how many processes; with 1 it is done in this one.

  Raises:
    InputError: a shard can't be written, or its process was killed.
  """
  with _progress(shards) as on_song:
    if workers == 1 or len(shards) <= 1:
      for shard in shards:
        write_shard(shard, folder, lambda song: on_song(song.seconds))
    else:
      _share(shards, folder, workers, on_song)


@contextlib.contextmanager
def _progress(shards: Sequence[Shard]) -> Iterator[Callable[[float], None]]:
  """A bar of songs and hours of audio; gives a function to call with the length of each song that is done with, in seconds."""
  hours, start = 0.0, time.monotonic()
  with tqdm(total=sum(len(shard.songs) for shard in shards), desc='prepare', unit='song', disable=None) as bar:

    def on_song(seconds: float) -> None:
      nonlocal hours
      hours += seconds / 3600
      bar.set_postfix_str(f'{hours:.1f} h, {3600 * hours / (time.monotonic() - start):.1f} h of audio/h', refresh=False)
      bar.update()

    yield on_song


def _share(shards: Sequence[Shard], folder: Path, workers: int, on_song: Callable[[float], None]) -> None:
  waiting = list(reversed(shards))
  with contextlib.ExitStack() as stack:
    stack.callback(remove_parts, folder)  # after all are stopped
    team = [_Worker(folder) for _ in range(min(workers, len(shards)))]
    for worker in team:
      stack.callback(worker.stop)
      worker.start(waiting.pop())
    while busy := {worker.connection: worker for worker in team if worker.shard}:
      for connection in wait(list(busy)):
        worker = busy[connection]  # pyright: ignore[reportArgumentType]
        message = worker.receive()
        if isinstance(message, Exception):
          raise message
        if isinstance(message, Written):
          worker.shard = None
          if waiting:
            worker.start(waiting.pop())
        else:
          on_song(message)


class _Worker:
  """A process that writes one shard after another."""

  def __init__(self, folder: Path):
    self.connection, theirs = _spawn.Pipe()
    self.process = _spawn.Process(target=_work, args=(theirs, folder), daemon=True)
    self.process.start()
    theirs.close()  # then its end is heard as the end of the connection
    self.shard: Shard | None = None

  def start(self, shard: Shard) -> None:
    self.shard = shard
    with contextlib.suppress(BrokenPipeError):  # it is dead: `receive` tells
      self.connection.send(shard)

  def receive(self) -> 'float | Written | Exception':
    try:
      return self.connection.recv()
    except (EOFError, ConnectionResetError):
      self.process.join()
      code = self.process.exitcode or 0
      how = f'was killed by {signal.Signals(-code).name}' if code < 0 else f'ended with status {code}'
      memory = ', most often for lack of memory: then give fewer --workers' if -code == signal.SIGKILL else ''
      name = self.shard.name if self.shard else ''
      return InputError(f'{name}: its process {how}{memory}; finished files are kept, the same command goes on')

  def stop(self) -> None:
    self.process.terminate()
    self.process.join()
    self.connection.close()


def _work(connection: Connection, folder: Path) -> None:
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C, and ends this process
  with contextlib.suppress(EOFError, BrokenPipeError):  # the parent is gone
    while True:
      shard = connection.recv()
      try:
        message = write_shard(shard, folder, lambda song: connection.send(float(song.seconds)))
      except InputError as e:
        message = e
      except Exception:  # a fault of ours: its traceback would be lost on the way
        message = RuntimeError(f'{shard.name}: {traceback.format_exc()}')
      connection.send(message)
