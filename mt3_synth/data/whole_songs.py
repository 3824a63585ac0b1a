"""The songs of a split, each read when it is asked for: for evaluation, which plays them from beginning to end."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mt3_synth.data.prepared import PreparedSplit, find_prepared
from mt3_synth.data.songs import EMBEDDED, Song, find_tracks, has_tracks, read_song, read_track
from mt3_synth.data.sources import find_folder
from mt3_synth.errors import InputError


@dataclass(frozen=True)
class WholeSongs:
  """Songs by number.  Can be pickled.

  Attributes:
    ids: unique.
    read_number: reads one; raises InputError where it can't be.
  """

  ids: tuple[str, ...]
  read_number: Callable[[int], Song]

  def read(self, song: str) -> Song:
    """The song of an id, under that name."""
    return replace(self.read_number(self.ids.index(song)), name=song)


def open_songs(corpus: str, split: str, data_dir: str = '') -> WholeSongs:
  """The songs of one split of one corpus; arguments as of `open_source`, errors too.  Nothing but names is read."""
  folder = EMBEDDED if corpus == 'embedded' else find_folder(corpus, data_dir)
  if has_tracks(folder):
    tracks = find_tracks(folder, split)
    return WholeSongs(_unique([_name(track) for track in tracks]), _Tracks(tracks))
  prepared = PreparedSplit(find_prepared(folder), split)
  return WholeSongs(_unique([song.song_id for song in prepared.songs]), _Prepared(prepared))


@dataclass(frozen=True)
class _Prepared:
  split: PreparedSplit

  def __call__(self, number: int) -> Song:
    return self.split.song(number).song


@dataclass(frozen=True)
class _Tracks:
  folders: Sequence[Path]

  def __call__(self, number: int) -> Song:
    return read_song(self.folders[number])


def _name(track: Path) -> str:
  try:
    return read_track(track).name
  except InputError:  # told when it is read
    return track.name


def _unique(names: Sequence[str]) -> tuple[str, ...]:
  """Names of which each is there once: a second one gets a number."""
  seen: Counter[str] = Counter()
  found = []
  for name in names:
    seen[name] += 1
    found.append(name if seen[name] == 1 else f'{name} ({seen[name]})')
  return tuple(found)
