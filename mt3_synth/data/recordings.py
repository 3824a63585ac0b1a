"""Sounds without notes: what an inverter learns from."""

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mt3_synth.audio.files import read_audio_int16
from mt3_synth.data.mixtures import rates
from mt3_synth.data.pieces import PIECE_SAMPLES
from mt3_synth.data.prepared import PreparedSplit, find_prepared
from mt3_synth.data.songs import DESCRIPTION, EMBEDDED, has_tracks, read_track
from mt3_synth.data.sources import find_folder
from mt3_synth.errors import InputError

SUFFIXES = ('.flac', '.wav', '.ogg', '.mp3', '.aiff', '.aif')
_HELD_OUT = 20  # every so many-th file of a plain folder is of its validation split


class Recordings(Protocol):
  """One split of one corpus."""

  @property
  def samples(self) -> np.ndarray:
    """int64 [recordings], the length of each at 16 kHz."""
    ...

  def read(self, number: int, start: int, count: int) -> np.ndarray:
    """int16 samples [start, start + count) of one; fewer where it ends."""
    ...


class RecordingsInMemory:
  """Whole recordings: 115 MB an hour."""

  def __init__(self, audio: Sequence[np.ndarray]):
    self.audio = audio
    self.samples = np.array([len(each) for each in audio], np.int64)

  def read(self, number: int, start: int, count: int) -> np.ndarray:
    return self.audio[number][start : start + count]


class PreparedRecordings:
  """Those of a prepared corpus, read piece by piece."""

  def __init__(self, split: PreparedSplit):
    self.split = split
    self.samples = np.array([song.samples for song in split.songs], np.int64)

  def read(self, number: int, start: int, count: int) -> np.ndarray:
    song = int(self.split.first[number])
    first, last = start // PIECE_SAMPLES, -(-(start + count) // PIECE_SAMPLES)
    pieces = self.split.read(song + first, min(song + last, int(self.split.first[number + 1])))
    return np.concatenate([piece.audio for piece in pieces])[start - first * PIECE_SAMPLES :][:count]


def open_recordings(corpus: str, split: str, data_dir: str = '') -> Recordings:
  """One split of one corpus: `embedded`, a prepared one, tracks as `mt3-synth render` writes them, or any folder of audio files.

  A plain folder has a training split and, of every twentieth file and at least one, a validation split.

  Raises:
    InputError: the folder is not there, holds nothing of the kind or nothing of that split, or a file is damaged.
  """
  folder = EMBEDDED if corpus == 'embedded' else find_folder(corpus, data_dir)
  if has_tracks(folder):
    tracks = sorted(file.parent for file in (folder / split).glob(f'*/{DESCRIPTION}'))
    files = [mix for mix in (read_track(track).mix for track in tracks) if mix]
    return _in_memory(files, f'{folder}: has no track of split {split!r}; leave the corpus out, or render it with another --split')
  if any(folder.glob('**/songs-*.jsonl')):
    return PreparedRecordings(PreparedSplit(find_prepared(folder), split))
  return _in_memory(plain_files(folder, split), f'{folder}: has too few audio files for a split {split!r}; expected at least two')


def plain_files(folder: Path, split: str) -> list[Path]:
  """The audio files under a folder that are of a split; which are held out is a matter of their names."""
  files = [path for path in sorted(folder.rglob('*')) if path.suffix.lower() in SUFFIXES]
  held_out = sorted(files, key=lambda path: zlib.crc32(path.name.encode()))[: max(len(files) // _HELD_OUT, 1)]
  return [path for path in files if (path in held_out) == (split != 'train')]


def _in_memory(files: Sequence[Path], none: str) -> RecordingsInMemory:
  if not files:
    raise InputError(none)
  with ThreadPoolExecutor() as pool:
    return RecordingsInMemory(list(pool.map(read_audio_int16, files)))


class SoundLoader:
  """Batches of random crops; batch n is a function of (seed, n)."""

  def __init__(
    self,
    sources: Sequence[Recordings],
    samples: int,
    batch_size: int,
    seed: int,
    *,
    hop: int,
    temperature: float = 1.0,
    host: int = 0,
    hosts: int = 1,
  ):
    """Plans the batches; reads nothing yet.

    Args:
      sources: the corpora, each drawn from as its length says (`mixtures.rates`).
      samples: of a crop; shorter recordings are padded with silence.
      batch_size: B, of all hosts together.
      seed: of every draw.
      hop: crops begin at multiples of it.
      temperature: of `mixtures.rates`.
      host, hosts: which part of each batch to make.
    """
    if batch_size % hosts:
      raise InputError(f'a batch of {batch_size} can not be shared evenly among {hosts} hosts; give a multiple')
    self.sources, self.samples, self.hop, self.seed = sources, samples, hop, seed
    self.rows, self.first_row, self.batch_size = batch_size // hosts, host * (batch_size // hosts), batch_size
    self.shares = rates([int(source.samples.sum()) for source in sources], temperature)
    self.ends = [np.cumsum(source.samples) for source in sources]

  def batch(self, index: int) -> dict[str, Any]:
    """{'audio': int16 [B / hosts, samples]}."""
    rng = np.random.default_rng((self.seed, index))
    draws = rng.random((self.batch_size, 3))
    return {'audio': np.stack([self._crop(*draw) for draw in draws[self.first_row : self.first_row + self.rows]])}

  def walk(self, start: int = 0) -> 'SoundBatches':
    return SoundBatches(self, start)

  def _crop(self, which: float, where: float, shift: float) -> np.ndarray:
    corpus = min(int(np.searchsorted(np.cumsum(self.shares), which, 'right')), len(self.sources) - 1)
    source, ends = self.sources[corpus], self.ends[corpus]
    song = min(int(np.searchsorted(ends, where * ends[-1], 'right')), len(ends) - 1)
    places = max(int(source.samples[song]) - self.samples, 0) // self.hop + 1
    crop = source.read(song, int(shift * places) * self.hop, self.samples)
    return np.pad(crop, (0, self.samples - len(crop)))


class SoundBatches:
  """A walk along a loader's batches; its state is the number of the next one."""

  dropped = 0

  def __init__(self, loader: SoundLoader, start: int):
    self.loader, self.next = loader, start

  def __iter__(self):
    return self

  def __next__(self) -> dict[str, Any]:
    self.next += 1
    return self.loader.batch(self.next - 1)

  def get_state(self) -> dict[str, int]:
    return {'next_batch': self.next}

  def set_state(self, state: dict[str, int]) -> None:
    self.next = state['next_batch']

  def close(self) -> None:
    """Nothing is open."""

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()
