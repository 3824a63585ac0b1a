"""Prepared corpora: pieces of songs in ArrayRecord files, read in any order without TensorFlow.

A folder CORPUS/CONFIG/VERSION as TFDS lays it out (dataset_info.json, features.json, CORPUS-SPLIT.array_record-XXXXX-of-XXXXX), with a
table of each split's songs beside it, songs-SPLIT.jsonl, in the order of the records: a song's pieces follow one another in one file.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mt3_synth.data.pieces import Excerpt, Piece, decode_piece, join
from mt3_synth.errors import InputError

INCOMPLETE = '.incomplete'  # ends the name of a folder in which a preparation is going on
SHARD = re.compile(r'(?P<corpus>\w+)-(?P<split>\w+)\.array_record-(?P<shard>\d{5})-of-(?P<shards>\d{5})')


@dataclass(frozen=True)
class SongRow:
  """One song in a split's table."""

  song_id: str
  pieces: int
  samples: int  # at 16 kHz
  notes: int


def songs_file(folder: Path, split: str) -> Path:
  return folder / f'songs-{split}.jsonl'


def write_songs(file: Path, songs: Sequence[SongRow]) -> None:
  """Writes a split's table, one JSON object a line."""
  file.write_text(''.join(json.dumps(asdict(song)) + '\n' for song in songs))


def read_songs(file: Path) -> list[SongRow]:
  """Raises InputError where a line is none of `write_songs`."""
  songs = []
  for number, line in enumerate(file.read_text().splitlines(), 1):
    try:
      songs.append(SongRow(**json.loads(line)))
    except (ValueError, TypeError) as e:
      raise InputError(f'{file}:{number}: no row of a table of songs ({e}); prepare the corpus again') from None
  return songs


def find_prepared(path: str | Path) -> Path:
  """The one prepared corpus at or under a folder.

  Raises:
    InputError: there is none, or more than one.
  """
  root = Path(path).expanduser()
  depths = ('', '*/', '*/*/', '*/*/*/')
  found = sorted({file.parent for depth in depths for file in root.glob(f'{depth}songs-*.jsonl') if file.parent.suffix != INCOMPLETE})
  if len(found) == 1:
    return found[0]
  unfinished = next((folder for depth in depths for folder in root.glob(f'{depth}*{INCOMPLETE}')), None)
  if not found and (unfinished or root.suffix == INCOMPLETE):
    raise InputError(f'{unfinished or root}: its preparation is not finished; give the command of `mt3-synth prepare` again, it goes on')
  if not found:
    raise InputError(f'{root}: no prepared corpus here; expected songs-SPLIT.jsonl and ArrayRecord files of `mt3-synth prepare`')
  names = ', '.join(str(each.relative_to(root)) for each in found)
  raise InputError(f'{root}: holds {len(found)} prepared corpora ({names}); give one of those folders')


class PreparedSplit:
  """One split of a prepared corpus: pieces by number, in the order of the table of songs.  Can be pickled for worker processes.

  Attributes:
    songs: the table.
    first: [songs + 1] the number of each song's first piece; the last entry is the number of pieces.
  """

  def __init__(self, path: str | Path, split: str):
    """Opens a split.

    Args:
      path: of `find_prepared`.
      split: train, validation or test.

    Raises:
      InputError: the split is not there, or its files are not whole.
    """
    self.folder = find_prepared(path)
    self.split = split
    table = songs_file(self.folder, split)
    if not table.exists():
      there = ', '.join(sorted(file.stem.removeprefix('songs-') for file in self.folder.glob('songs-*.jsonl')))
      raise InputError(f'{self.folder}: has no split {split!r}; there are: {there}')
    self.songs = read_songs(table)
    self.first = np.concatenate([[0], np.cumsum([song.pieces for song in self.songs])]).astype(np.int64)
    self.shards = self._shards()
    self._readers = None

  def __len__(self) -> int:
    return int(self.first[-1])

  def song_of(self, piece: int) -> int:
    """Which song a piece belongs to."""
    return int(np.searchsorted(self.first, piece, 'right')) - 1

  def read(self, first: int, last: int) -> list[Piece]:
    """Pieces [first, last), which may lie in several files."""
    records = []
    for reader, start, end, path in self._open():
      low, high = max(first, start), min(last, end)
      if low < high:
        try:
          found = reader.read(low - start, high - start)
        except RuntimeError as e:
          raise InputError(f'{path}: damaged ({str(e).splitlines()[0]}); copy it again or prepare it again') from None
        records += [decode_piece(record, str(path)) for record in found]
    return records

  def excerpt(self, piece: int, before: int, after: int) -> Excerpt:
    """A piece with as many of its song's pieces around it as there are, up to `before` and `after`."""
    song = self.song_of(piece)
    return join(self.read(max(piece - before, self.first[song]), min(piece + after + 1, self.first[song + 1])))

  def song(self, number: int) -> Excerpt:
    """A whole song."""
    return join(self.read(int(self.first[number]), int(self.first[number + 1])))

  def _shards(self) -> list[Path]:
    matches = [(SHARD.fullmatch(path.name), path) for path in self.folder.iterdir()]
    shards = sorted((int(match['shard']), int(match['shards']), path) for match, path in matches if match and match['split'] == self.split)
    if [number for number, _, _ in shards] != list(range(shards[0][1] if shards else 1)):
      raise InputError(f'{self.folder}: files of split {self.split!r} are missing ({len(shards)} found); copy all, or prepare it again')
    return [path for _, _, path in shards]

  def _open(self):
    if self._readers is None:
      # Where a piece is read, not where a split is named.  A compiled module: pyright can't look into it.
      from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue]

      readers, at = [], 0
      for path in self.shards:
        try:
          reader = array_record_module.ArrayRecordReader(str(path), 'readahead_buffer_size:0')
          count = reader.num_records()
        except (RuntimeError, ValueError) as e:
          raise InputError(f'{path}: no whole ArrayRecord file ({str(e).splitlines()[0]}); copy it again or prepare it again') from None
        readers.append((reader, at, at + count, path))
        at += count
      if at != len(self):
        raise InputError(f'{self.folder}: {at} pieces in the files of {self.split!r}, {len(self)} in its table; prepare it again')
      self._readers = readers
    return self._readers

  def __getstate__(self):
    return self.__dict__ | {'_readers': None}
