"""What a corpus's reader gives: its songs, each read on its own when its turn comes, and what is wrong with those that can't be.

A reader is a module `data_prep/CORPUS/reader.py` with one `CORPUS: Corpus`; it needs no TensorFlow, not for TFRecords either.  Preparing
(`data_prep/prepare`) cuts, writes and counts; it knows no corpus.  What readers share is in `data_prep/reading.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError

# What can be wrong with a song, the same phrase for the same fault in every corpus.
Reason = Literal[
  'missing audio',
  'unreadable audio',
  'truncated audio',
  'empty audio',
  'non-finite audio',
  'silent audio',
  'wrong sample rate',
  'missing notes',
  'unreadable notes',
  'no notes',
  'unreadable description',
  'unknown split',
  'unknown instrument',
  'too few stems',
  'duplicate id',
  'damaged record',
  'unexpected fault',
]


class SongError(InputError):
  """One song can't be used; the others go on.

  Attributes:
    reason: to count by.
  """

  def __init__(self, reason: Reason, message: str):
    super().__init__(message)
    self.reason: Reason = reason

  def __reduce__(self):
    return SongError, (self.reason, str(self))


@dataclass(frozen=True)
class SongSource:
  """A song that is there to be read.

  Attributes:
    id: unique in its corpus and split, and the same on every machine.
    split: train, validation or test.
    read: gives the song, named `id`; can be pickled.  Raises SongError.
    seconds: its length by the audio file's header, to balance shards; 0 where unknown.
    group: songs of one group share files that `read` decodes once, if it is called for them one after the other in one process; such
      songs follow each other in the listing.  Empty where nothing is shared.
  """

  id: str
  split: str
  read: Callable[[], Song] = field(compare=False)
  seconds: float = 0.0
  group: str = ''


@dataclass(frozen=True)
class Skipped:
  """A song that a listing already finds unusable."""

  id: str
  reason: Reason
  message: str


@dataclass(frozen=True)
class Corpus:
  """A corpus as its users have it on disk.

  Attributes:
    name: of the corpus, a valid TFDS name.
    licence: SPDX id or name, copied into every example.
    description, homepage, citation: one paragraph, an address, BibTeX.
    configs: what can be made of it (TFDS builder configs), name -> options for `songs`; the first is the default.
    options: what else a user may set, name -> (default, help).
    songs: (source folder, **options) -> the songs and what is skipped, in a fixed order.  Raises InputError when the folder is not the
      corpus's, saying which folder was expected (one level up or down where that is it).
  """

  name: str
  licence: str
  description: str
  homepage: str
  citation: str
  songs: Callable[..., Iterable['SongSource | Skipped']]
  configs: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {'default': {}})
  options: Mapping[str, tuple[Any, str]] = field(default_factory=dict)


def existing_folder(source: str | Path, corpus: str) -> Path:
  """The source folder of a corpus.  Raises InputError when it is none."""
  folder = Path(source).expanduser()
  if not folder.is_dir():
    raise InputError(f'{folder}: {"is a file" if folder.exists() else "no such folder"}; expected the folder of {corpus}')
  return folder
