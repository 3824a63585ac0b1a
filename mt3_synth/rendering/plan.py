"""Which MIDI file becomes which track of which split."""

import fnmatch
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mt3_synth.errors import InputError

SPLITS = ('train', 'validation', 'test')
_SUFFIXES = ('.mid', '.midi', '.kar')


@dataclass(frozen=True)
class Job:
  """One song to render."""

  source: Path
  name: str  # of the source, relative to the folder of MIDI files, with forward slashes
  uuid: str  # of the source's bytes: MD5 in hexadecimal, as in Slakh
  split: str
  track: str  # TrackNNNNN


def find_midi(folder: Path, besides: Path | None = None) -> list[Path]:
  """All MIDI files below `folder`, in order of their paths, but none below `besides`.

  Raises:
    InputError: no such folder, or no MIDI file in it.
  """
  if not folder.is_dir():
    raise InputError(f'{folder}: no such folder; expected one with MIDI files')
  skip = besides.resolve() if besides else None
  found = [
    path
    for path in folder.rglob('*')
    if path.suffix.lower() in _SUFFIXES and path.is_file() and (skip is None or skip not in path.resolve().parents)
  ]
  if not found:
    raise InputError(f'{folder}: no MIDI files in it (looked for {", ".join(_SUFFIXES)} in all its folders)')
  return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def plan(
  folder: Path,
  sources: Sequence[Path],
  fractions: Sequence[float],
  seed: int,
  validation: Sequence[str] = (),
  test: Sequence[str] = (),
) -> list[Job]:
  """Numbers the songs and deals them to the splits.

  Equal files are one song and share a split.  What matches a pattern goes to that split; the rest is shuffled by `seed` and dealt by
  `fractions` (train, validation, test).  A split with a fraction above zero gets at least one song where there are three or more.

  Args:
    folder: what the names in patterns are relative to.
    sources: MIDI files below it, in the order of their numbers.
    fractions: three shares that add up to 1.
    seed: of the shuffle.
    validation: patterns (*, ?) of names, with or without folder and suffix.
    test: the same; a song that matches both is an error.

  Raises:
    InputError: bad fractions, a pattern that matches nothing, or one song for two splits.
  """
  if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
    raise InputError(f'--split {",".join(map(str, fractions))}: expected three shares that add up to 1, as in 0.8,0.1,0.1')
  names = [path.relative_to(folder).as_posix() for path in sources]
  uuids = [_uuid(path) for path in sources]
  chosen: dict[str, str] = {}
  for split, patterns in (('validation', validation), ('test', test)):
    for pattern in patterns:
      matches = [uuid for name, uuid in zip(names, uuids, strict=True) if _matches(name, pattern)]
      if not matches:
        raise InputError(f'--{split} {pattern}: no MIDI file below {folder} has such a name')
      for uuid in matches:
        if chosen.setdefault(uuid, split) != split:
          raise InputError(f'--{split} {pattern}: {names[uuids.index(uuid)]} is asked for in {chosen[uuid]} too')
  chosen |= _deal(sorted(set(uuids) - set(chosen)), fractions, seed)
  return [
    Job(path, name, uuid, chosen[uuid], f'Track{number:05d}')
    for number, (path, name, uuid) in enumerate(zip(sources, names, uuids, strict=True), start=1)
  ]


def _matches(name, pattern):
  path = Path(name)
  return any(fnmatch.fnmatchcase(each, pattern) for each in (name, path.with_suffix('').as_posix(), path.name, path.stem))


def _deal(uuids, fractions, seed):
  order = np.random.default_rng(seed).permutation(len(uuids))
  counts = [0, *(round(share * len(uuids)) for share in fractions[1:])]
  for k in (1, 2):
    if fractions[k] > 0 and counts[k] == 0 and len(uuids) >= 3:
      counts[k] = 1
  counts[0] = max(len(uuids) - sum(counts), 0)
  splits = [split for split, count in zip(SPLITS, counts, strict=True) for _ in range(count)]
  return {uuids[position]: split for position, split in zip(order, splits, strict=False)}


def _uuid(path):
  try:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
  except OSError as e:
    raise InputError(f'{path}: cannot be read ({e.strerror or e})') from None
