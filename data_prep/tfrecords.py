"""Corpora that earlier users have as TFRecords of tf.train.Example, read as they are and without TensorFlow.

A file is a row of records: length uint64, its masked CRC32C, the data, their masked CRC32C.  Records are up to hundreds of megabytes, most
of it features that nobody asked for, so only wanted features are ever read from disk.
"""

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from data_prep.corpus import Skipped, SongError, SongSource
from data_prep.reading import Listing, Origin, make_song, song_errors
from mt3_synth.audio.files import decode_audio, resample, to_int16
from mt3_synth.data.records import decode_example
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes import Notes, from_note_sequence

Features = dict[str, Any]  # name -> list of bytes, or float32 or int64 [n]

_SPLIT = re.compile(r'(?<![a-z])(train|validation|test)(?![a-z])')
_SHARD = re.compile(r'-(\d{5})-of-(\d{5})$')
_HEADER, _FOOTER = 12, 4


@dataclass(frozen=True)
class Layout:
  """What the records of a corpus hold.

  Attributes:
    id: features that name the song, joined by '/'; lists by '+'.
    needed: other features, that `song` takes.
    song: (features, where they are from) -> notes and int16 audio.
    files: which files are the corpus's.
    repeats: whether several records may have the same id; they are numbered then.
    trim: whether notes of training songs are trimmed where they overlap.
  """

  id: Sequence[str]
  needed: Sequence[str]
  song: Callable[[Features, str], tuple[Notes, np.ndarray]]
  files: str = '*.tfrecord*'
  repeats: bool = False
  trim: bool = False


def holds_records(folder: Path, layout: Layout) -> bool:
  return bool(_files(folder, layout))


def list_records(folder: Path, layout: Layout, origin: Origin) -> Listing:
  """The songs of all TFRecord files of a folder; their split is the word in the file's name.

  Raises:
    InputError: a file's name says no split, or its records hold other features.

  Warns:
    InputWarning: files are missing of those that the names count.
  """
  files = _files(folder, layout)
  _count_shards(files)
  listing, times = [], Counter()
  for file in files:
    split = _SPLIT.search(file.name.partition('.tfrecord')[0].lower()) or _SPLIT.search(file.name.lower())
    if not split:
      raise InputError(f'{file}: of which split? expected train, validation or test in its name: rename it')
    try:
      for number, (offset, length) in enumerate(_records(file)):
        try:
          id = _id(file, offset, length, layout)
        except SongError as e:
          listing.append(Skipped(f'{file.name}/{number}', e.reason, str(e)))
          continue
        times[id] += 1
        if times[id] > 1 and layout.repeats:
          id = f'{id}/{times[id]}'
        read = partial(_read, layout, origin, id, file, offset, length, layout.trim and split[1] == 'train')
        listing.append(SongSource(id, split[1], read))
    except SongError as e:  # without a length the next record can't be found
      listing.append(Skipped(f'{file.name}/rest', e.reason, str(e)))
  return listing


def read_wav(features: Features, source: str) -> np.ndarray:
  """int16 [S] of `audio`, a whole WAV file."""
  return to_int16(decode_audio(features['audio'][0], f'{source}: audio'))


def read_floats(features: Features, source: str, name: str, rate: str) -> np.ndarray:
  """int16 [S] of float samples `name`, at the rate that feature `rate` says."""
  return to_int16(resample(np.asarray(features[name], np.float32), f'{source}: {name}', round(float(features[rate][0]))))


def read_sequence(features: Features) -> Notes:
  return from_note_sequence(features['sequence'][0])


def with_instrument(notes: Notes, program: int, is_drum: bool = False) -> Notes:
  """All notes played by one instrument."""
  return replace(notes, program=np.full(len(notes), 0 if is_drum else program), is_drum=np.full(len(notes), is_drum))


def crc32c(data: bytes) -> int:
  """The Castagnoli checksum (RFC 3720, appendix B.4); for short data, being in Python."""
  crc = 0xFFFFFFFF
  for byte in data:
    crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
  return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> bytes:
  """As it stands in a TFRecord file."""
  crc = crc32c(data)
  return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, 'little')


def _files(folder: Path, layout: Layout) -> list[Path]:
  return sorted(path for path in folder.glob(layout.files) if path.is_file() and not path.name.startswith('.'))


def _read(layout: Layout, origin: Origin, id: str, file: Path, offset: int, length: int, trim: bool) -> Song:
  source = f'{file} ({id})'
  features, _ = _features(file, offset, length, layout.needed)
  with song_errors('damaged record'):
    try:
      notes, audio = layout.song(features, source)
    except (KeyError, IndexError) as e:
      raise SongError('damaged record', f'{source}: has no feature {e}; fetch the file again') from None
  return make_song(id, notes, audio, origin, trim=trim)


def _id(file: Path, offset: int, length: int, layout: Layout) -> str:
  features, names = _features(file, offset, length, layout.id)
  absent = {*layout.id, *layout.needed} - names
  if absent:
    raise InputError(
      f'{file}: its records hold {", ".join(sorted(names))}; expected also {", ".join(sorted(absent))}: are they of another corpus?'
    )
  return '/'.join('+'.join(value.decode(errors='replace') for value in features[name]) for name in layout.id)


def _records(file: Path) -> Iterator[tuple[int, int]]:
  """(offset, length) of the data of every record; the last may reach beyond the file's end."""
  size, position = file.stat().st_size, 0
  with file.open('rb') as stream:
    while position < size:
      stream.seek(position)
      header = stream.read(_HEADER)
      length = int.from_bytes(header[:8], 'little')
      if len(header) == _HEADER and masked_crc32c(header[:8]) != header[8:]:
        if not position:
          raise InputError(f'{file}: no TFRecord file: the checksum of the first length is wrong; fetch it again')
        raise SongError('damaged record', f'{file}: damaged at byte {position}: the records from there on are lost; fetch it again')
      position += _HEADER
      yield position, length
      position += length + _FOOTER


def _features(file: Path, offset: int, length: int, wanted: Sequence[str]) -> tuple[Features, set[str]]:
  """The wanted features of a record, and the names of all; the others are passed over.

  A serialized Example is one field, a map; each entry of the map is a field that begins with the name.
  """
  source = f'{file}, byte {offset}'
  if offset + length + _FOOTER > file.stat().st_size:
    raise SongError('damaged record', f'{source}: a record of {length} bytes is cut off; fetch the file again')
  entries, names = [], set()
  with file.open('rb') as stream:
    stream.seek(offset)
    try:
      end = stream.tell() + length
      _field(stream)
      while stream.tell() < end:
        size = _field(stream)
        start = stream.tell()
        name = stream.read(_field(stream)).decode()
        names.add(name)
        stream.seek(start)
        if name in wanted:
          entries.append(b'\n' + _varint(size) + stream.read(size))
        stream.seek(start + size)
    except (ValueError, IndexError):
      raise SongError('damaged record', f'{source}: {length} bytes that are no tf.train.Example; fetch the file again') from None
  inside = b''.join(entries)
  with song_errors('damaged record'):
    return decode_example(b'\n' + _varint(len(inside)) + inside, source), names


def _field(stream: BinaryIO) -> int:
  """Reads the head of field 1, of bytes; gives their number."""
  if stream.read(1) != b'\n':
    raise ValueError
  value = shift = 0
  while True:
    byte = stream.read(1)[0]
    value |= (byte & 127) << shift
    if byte < 128:
      return value
    shift += 7


def _varint(value: int) -> bytes:
  parts = []
  while value > 127:
    parts.append(value & 127 | 128)
    value >>= 7
  return bytes([*parts, value])


def _count_shards(files: Sequence[Path]) -> None:
  found = defaultdict(list)
  for file in files:
    shard = _SHARD.search(file.name)
    if shard:
      found[file.parent / file.name[: shard.start()], int(shard[2])].append(file)
  for (name, count), shards in found.items():
    if len(shards) < count:
      warnings.warn(f'{name}: {len(shards)} of {count} files are there; the others are left out', InputWarning, stacklevel=3)


def _crc_table() -> list[int]:
  table = []
  for byte in range(256):
    for _ in range(8):
      byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    table.append(byte)
  return table


_CRC_TABLE = _crc_table()
