"""A corpus that the tests make up: songs of noise in three splits, some of them unusable."""

import os
import signal
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.corpus import Corpus, Skipped, SongError, SongSource
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes import Notes

DEADLY = 'deadly'  # while a file of this name is in the source, reading song09 kills its process


def seconds_of(number: int) -> float:
  return 1.0 + number % 4 * 4


def make_song(number: int) -> Song:
  """Noise, and four notes a second."""
  rng, seconds = np.random.default_rng(number), seconds_of(number)
  notes = Notes.from_rows([(onset, onset + 0.3, int(rng.integers(40, 80))) for onset in np.arange(0, seconds, 0.25).tolist()])
  audio = rng.integers(-9000, 9000, int(seconds * 16000)).astype(np.int16)
  return Song(f'song{number:02d}', notes, audio, 'made_up', 'CC0-1.0')


@dataclass(frozen=True)
class Read:
  number: int
  source: Path
  slow: float

  def __call__(self) -> Song:
    id = f'song{self.number:02d}'
    time.sleep(self.slow)
    if id == 'song03':
      raise SongError('silent audio', 'song03: all is zero')
    if id == 'song05':
      return [][1]
    if id == 'song07':
      warnings.warn('song07: 2 of 9 notes are left out', InputWarning, stacklevel=2)
    if id == 'song09' and (self.source / DEADLY).exists():
      os.kill(os.getpid(), signal.SIGKILL)
    return make_song(self.number)


def listing(source, *, count: int = 14, slow: float = 0.0):
  folder = Path(source)
  if not folder.is_dir():
    raise InputError(f'{folder}: no such folder')
  yield Skipped('absent', 'missing audio', 'absent: no such file')
  for number in range(count):
    split = 'test' if number % 5 == 4 else 'validation' if number % 7 == 6 else 'train'
    yield SongSource(f'song{number:02d}', split, Read(number, folder, slow), seconds_of(number))
  yield SongSource('song00', 'test', Read(0, folder, slow), seconds_of(0))


CORPUS = Corpus(
  name='made_up',
  licence='CC0-1.0',
  description='Songs of noise.',
  homepage='https://example.org',
  citation='',
  songs=listing,
  configs={'default': {}, 'short': {'count': 6}},
  options={'slow': (0.0, 'seconds that reading one song takes'), 'count': (14, 'how many songs')},
)
TAKEN = {f'song{number:02d}' for number in range(14)} - {'song03', 'song05'}


def files(folder: Path) -> dict[str, bytes]:
  """Name -> bytes of all that is under a folder."""
  return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob('*')) if path.is_file()}
