"""Writes one file of a prepared corpus, whole or not at all."""

import contextlib
import json
import os
import threading
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue]

from data_prep.corpus import Skipped, SongError, SongSource
from data_prep.prepare.plan import Shard
from mt3_synth.data.pieces import cut_song, encode_piece
from mt3_synth.data.prepared import SongRow
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes.note_sequence import to_note_sequence

# Each record can be read by itself, and needs no decompression: 3355 excerpts/s are read at random on one core, where with zstd:3 it are
# 1358; audio shrinks by 15 % only.
ARRAY_RECORD_OPTIONS = 'group_size:1,uncompressed'
REPORTS = 'written'  # folder of the reports on finished files, until all are
_PART = '.part'

# Songs of a group share what one of them decoded, warnings are caught for the whole process, and two songs at once need the memory of
# two: where a Beam worker has several threads, its shards wait for each other.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Remark:
  """A warning about a song that was taken."""

  id: str
  message: str


@dataclass(frozen=True)
class Written:
  """What became of a shard's songs.

  Attributes:
    name: of the file.
    split: whose it is.
    bytes: its size.
    songs: those in it, in its order.
    skipped: those that are not.
    remarks: warnings about those in it.
  """

  name: str
  split: str
  bytes: int
  songs: list[SongRow] = field(default_factory=list)
  skipped: list[Skipped] = field(default_factory=list)
  remarks: list[Remark] = field(default_factory=list)

  @property
  def pieces(self) -> int:
    return sum(song.pieces for song in self.songs)


def write_shard(shard: Shard, folder: Path, on_song: Callable[[SongSource], None] = lambda song: None) -> Written:
  """Writes a shard's file and, when that is in its place, the report on it.  Equal shards give equal bytes.

  Args:
    shard: what to write.
    folder: where; its folder `REPORTS` is there.
    on_song: called after each song, whether it was taken or skipped.

  Raises:
    InputError: the folder can't be written to or is full.
  """
  songs, skipped, remarks = [], [], []
  with _one_at_a_time, _appearing(folder / shard.name) as part:
    writer = array_record_module.ArrayRecordWriter(str(part), ARRAY_RECORD_OPTIONS)
    try:
      for source in shard.songs:
        song, told = _read(source)
        if isinstance(song, Song):
          songs.append(_write_song(song, writer))
          remarks += told
        else:
          skipped.append(song)
        on_song(source)
    finally:
      writer.close()
    size = part.stat().st_size
  written = Written(shard.name, shard.split, size, songs, skipped, remarks)
  with _appearing(folder / REPORTS / f'{shard.name}.json') as part:
    part.write_text(json.dumps(asdict(written)))
  return written


def read_written(shard: Shard, folder: Path) -> Written | None:
  """The report on a shard; None when it is not finished."""
  try:
    report = json.loads((folder / REPORTS / f'{shard.name}.json').read_text())
    report['songs'] = [SongRow(**song) for song in report['songs']]
    report['skipped'] = [Skipped(**song) for song in report['skipped']]
    report['remarks'] = [Remark(**remark) for remark in report['remarks']]
    written = Written(**report)
    whole = (folder / shard.name).stat().st_size == written.bytes
  except (OSError, ValueError, TypeError, KeyError):  # not there, or cut off with the machine's power: to be written again
    return None
  return written if whole else None


def remove_parts(folder: Path) -> None:
  """Removes what killed processes left."""
  for part in folder.rglob(f'.*{_PART}'):
    part.unlink(missing_ok=True)


def _read(source: SongSource) -> tuple[Song | Skipped, list[Remark]]:
  with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    try:
      song = source.read()
    except SongError as e:
      song = Skipped(source.id, e.reason, str(e))
    except Exception as e:  # a fault of the reader's: hours of other songs must not be lost for one
      where = traceback.extract_tb(e.__traceback__)[-1]
      message = f'{source.id}: {type(e).__name__}: {e} ({Path(where.filename).name}, line {where.lineno})'
      song = Skipped(source.id, 'unexpected fault', message)
  if isinstance(song, Song) and (song.name != source.id or not len(song.audio)):
    found = f'came back as {song.name!r} with {len(song.audio)} samples; expected its own id and audio'
    song = Skipped(source.id, 'unexpected fault', f'{source.id}: {found}')
  return song, [Remark(source.id, str(each.message)) for each in caught if issubclass(each.category, InputWarning)]


def _write_song(song: Song, writer) -> SongRow:
  pieces = cut_song(song)
  for piece in pieces:
    writer.write(encode_piece(piece, to_note_sequence(piece.notes).SerializeToString(deterministic=True)))
  return SongRow(song.name, len(pieces), len(song.audio), len(song.notes))


@contextlib.contextmanager
def _appearing(path: Path) -> Iterator[Path]:
  """A file that has its name when it is complete.  Two that write the same one do not meet."""
  part = path.with_name(f'.{path.name}.{uuid.uuid4().hex}{_PART}')
  try:
    yield part
    os.replace(part, path)
  except (OSError, RuntimeError) as e:  # ArrayRecord's faults are RuntimeErrors
    if isinstance(e, RuntimeError) and str(part) not in str(e):
      raise
    reason = (getattr(e, 'strerror', None) or str(e)).splitlines()[0].partition(';')[0]
    raise InputError(f'{path}: cannot be written ({reason}); make room or choose another --out, the same command goes on') from None
  finally:
    with contextlib.suppress(OSError):
      part.unlink(missing_ok=True)
