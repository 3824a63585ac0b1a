"""Which songs go into which file: the same on every machine, whoever writes them."""

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.corpus import Corpus, Skipped, SongSource
from data_prep.reading import unique
from mt3_synth.errors import InputError

VERSION = '1.0.0'  # of what is written: another version when the records or their order change
SHARD_SECONDS = 4 * 3600.0  # 461 MB of audio: few enough files to open them all, small enough to lose one to a stopped job
FEWEST_SHARDS = 8  # of a small split, so that several workers share it
UNKNOWN_SECONDS = 240.0  # a song whose length is not stated counts as one of usual length
_SEED = 'mt3_synth'

SongGroup = list[SongSource]  # songs that are read one after the other


@dataclass(frozen=True)
class Shard:
  """One file to write.

  Attributes:
    corpus, split: whose.
    number, count: which of the split's files.
    songs: in the order of the file.
  """

  corpus: str
  split: str
  number: int
  count: int
  songs: tuple[SongSource, ...]

  @property
  def name(self) -> str:
    return f'{self.corpus}-{self.split}.array_record-{self.number:05d}-of-{self.count:05d}'


@dataclass(frozen=True)
class Plan:
  """All files to write.

  Attributes:
    corpus, config, options: of what; options are complete.
    shards: split by split.
    skipped: songs that the listing already found unusable.
    digest: equal for plans that write the same.
  """

  corpus: Corpus
  config: str
  options: Mapping[str, Any]
  shards: tuple[Shard, ...]
  skipped: tuple[Skipped, ...]
  digest: str

  @property
  def songs(self) -> int:
    return sum(len(shard.songs) for shard in self.shards)

  @property
  def seconds(self) -> float:
    return sum(song.seconds for shard in self.shards for song in shard.songs)


def make_plan(corpus: Corpus, source: str | Path, config: str | None = None, options: Mapping[str, Any] | None = None) -> Plan:
  """Lists a corpus and deals its songs to files.

  Songs stand in an order drawn by the hash of their ids, so that whoever reads a file from its beginning meets mixed songs; those of a
  group stay together.  A split's files are about equally long.

  Args:
    corpus: what to prepare.
    source: its folder, as the user has it.
    config: one of the corpus's; its first when none is given.
    options: of the corpus, beyond those of the config.

  Raises:
    InputError: there is no such config or option, the folder is not the corpus's, or none of its songs can be used.
  """
  config = config or next(iter(corpus.configs))
  if config not in corpus.configs:
    raise InputError(f'{corpus.name}: no config {config!r}; there are {", ".join(corpus.configs)}')
  unknown = sorted(set(options or {}) - set(corpus.options))
  if unknown:
    raise InputError(f'{corpus.name}: no option {unknown[0]!r}; there are: {", ".join(corpus.options) or "none"}')
  chosen = {name: default for name, (default, _) in corpus.options.items()} | dict(corpus.configs[config]) | dict(options or {})
  listing = unique(corpus.songs(source, **chosen))
  songs = [song for song in listing if isinstance(song, SongSource)]
  skipped = tuple(song for song in listing if isinstance(song, Skipped))
  if not songs:
    first = f'the first of {len(skipped)}: {skipped[0].message}' if skipped else 'the listing is empty'
    raise InputError(f'{source}: no song of {corpus.name} can be used; {first}')
  shards = tuple(itertools.chain.from_iterable(_shards(corpus.name, split, songs) for split in _splits(songs)))
  return Plan(corpus, config, chosen, shards, skipped, _digest(corpus.name, config, chosen, shards))


def _splits(songs: Sequence[SongSource]) -> list[str]:
  usual = ['train', 'validation', 'test']
  return sorted({song.split for song in songs}, key=lambda split: (usual.index(split) if split in usual else 3, split))


def _shards(corpus: str, split: str, songs: Sequence[SongSource]) -> list[Shard]:
  groups: dict[str, SongGroup] = {}
  for song in songs:
    if song.split == split:
      groups.setdefault(f'group {song.group}' if song.group else f'song {song.id}', []).append(song)
  ordered = [groups[key] for key in sorted(groups, key=lambda key: hashlib.sha256(f'{_SEED} {corpus} {key}'.encode()).digest())]
  files = _deal(ordered)
  return [Shard(corpus, split, number, len(files), songs) for number, songs in enumerate(files)]


def _deal(groups: Sequence[SongGroup]) -> list[tuple[SongSource, ...]]:
  """Consecutive groups to files of about equal length."""
  seconds = [sum(song.seconds or UNKNOWN_SECONDS for song in group) for group in groups]
  total = sum(seconds)
  count = max(math.ceil(total / SHARD_SECONDS), min(FEWEST_SHARDS, len(groups)))
  files: list[list[SongSource]] = [[] for _ in range(count)]
  start = 0.0
  for group, length in zip(groups, seconds, strict=True):
    files[min(int((start + length / 2) / total * count), count - 1)] += group
    start += length
  return [tuple(songs) for songs in files if songs]  # beside a song longer than a file, one may be empty


def _digest(corpus: str, config: str, options: Mapping[str, Any], shards: Sequence[Shard]) -> str:
  songs = [(shard.name, [(song.id, round(song.seconds, 1)) for song in shard.songs]) for shard in shards]
  return hashlib.sha256(json.dumps([VERSION, corpus, config, dict(options), songs], sort_keys=True).encode()).hexdigest()
