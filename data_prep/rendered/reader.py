"""Corpora made with `mt3-synth render`, and the embedded one."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from data_prep.corpus import Corpus, Skipped, SongError, SongSource
from data_prep.reading import Listing, Origin, find_root, make_song, missing, skipped, song_errors, stated_seconds, unique
from mt3_synth.data.songs import DESCRIPTION, EMBEDDED, Song, Track, read_song, read_track

SPLITS = ('train', 'validation', 'test')
ORIGIN = Origin('rendered', 'as the MIDI files and the soundfont')  # known to who rendered them
EMBEDDED_ORIGIN = Origin('rendered', 'CC0-1.0 AND MIT')  # the music, and the soundfont that plays it


def songs(source: str | Path) -> Listing:
  """The songs of a rendered corpus, named as the MIDI files they were made from.

  Args:
    source: its folder, or `embedded` for the corpus in the package.

  Raises:
    InputError: the folder holds no tracks in split folders.
  """
  given = EMBEDDED if str(source) == 'embedded' else source
  root = find_root(given, 'a rendered corpus', _holds, f'{{train,validation,test}}/*/{DESCRIPTION}')
  return unique(_songs(root, EMBEDDED_ORIGIN if root.resolve() == EMBEDDED.resolve() else ORIGIN))


def _holds(folder: Path) -> bool:
  return any(next((folder / split).glob(f'*/{DESCRIPTION}'), None) for split in SPLITS)


def _songs(root: Path, origin: Origin) -> Iterator[SongSource | Skipped]:
  for split in SPLITS:
    for description in sorted((root / split).glob(f'*/{DESCRIPTION}')):
      id = description.parent.name
      try:
        with song_errors('unreadable description'):
          track = read_track(description.parent)
        id = track.name
        yield _song(split, track, origin)
      except SongError as e:
        yield skipped(id, e)


def _song(split: str, track: Track, origin: Origin) -> SongSource | Skipped:
  if track.mix is None:
    raise SongError('missing audio', f'{track.folder}: neither mix.flac nor mix.wav is there; fetch or render it again')
  absent = missing(track.name, 'missing notes', *(stem.midi for stem in track.stems if stem.sounds))
  read = partial(_read, track.name, track.folder, origin)
  return absent or SongSource(track.name, split, read, stated_seconds(track.mix))


def _read(id: str, folder: Path, origin: Origin) -> Song:
  with song_errors('unreadable notes'):
    song = read_song(folder)
  return make_song(id, song.notes, song.audio, origin)


CORPUS = Corpus(
  name='rendered',
  licence=ORIGIN.licence,
  description="MIDI files of one's own, rendered with a soundfont by `mt3-synth render`; source `embedded` is the corpus in the package.",
  homepage='',
  citation='',
  songs=songs,
)
