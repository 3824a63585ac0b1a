"""Where excerpts of songs come from: a prepared corpus on disk, or songs held in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from mt3_synth.config import MelConfig, ModelConfig
from mt3_synth.data.examples import Crops, pieces_around
from mt3_synth.data.pieces import frames_of, pieces_of, whole
from mt3_synth.data.prepared import PreparedSplit, find_prepared
from mt3_synth.data.songs import Song, has_tracks, read_corpus
from mt3_synth.errors import InputError


class Source(Protocol):
  """Songs that crops are drawn from.  Can be pickled for worker processes, and read by several threads."""

  @property
  def song_frames(self) -> np.ndarray:
    """int64 [songs]."""
    ...

  def crops(self, song: int, piece: int, config: ModelConfig) -> Crops:
    """Crops of an excerpt with all that the examples need whose targets start in that piece of that song."""
    ...


class PreparedSource:
  """A split of a prepared corpus: reads as much of a song as an example needs."""

  def __init__(self, split: PreparedSplit):
    if not split.songs:
      raise InputError(f'{split.folder}: split {split.split!r} has no songs; prepare the corpus again, or leave it out')
    for song in split.songs:
      if song.pieces != pieces_of(song.samples):
        found = f'{song.song_id} of {song.samples} samples has {song.pieces} pieces, expected {pieces_of(song.samples)}'
        raise InputError(f'{split.folder}: pieces of another length ({found}); prepare the corpus again')
    self.split = split
    self.song_frames = np.array([frames_of(song.samples) for song in split.songs], np.int64)

  def crops(self, song: int, piece: int, config: ModelConfig) -> Crops:
    return Crops(self.split.excerpt(int(self.split.first[song]) + piece, *pieces_around(config)), config)


class SongsInMemory:
  """Songs that are read as a whole, and whose notes are encoded once."""

  def __init__(self, songs: Sequence[Song]):
    if not songs:
      raise InputError('no songs to draw crops from')
    self.songs = songs
    self.song_frames = np.array([frames_of(len(song.audio)) for song in songs], np.int64)
    self._crops: dict[tuple[int, ModelConfig], Crops] = {}

  def crops(self, song: int, piece: int, config: ModelConfig) -> Crops:
    key = song, config
    if key not in self._crops:
      self._crops[key] = Crops(whole(self.songs[song]), config)
    return self._crops[key]

  def __getstate__(self):
    return self.__dict__ | {'_crops': {}}


def open_source(corpus: str, split: str, data_dir: str = '') -> Source:
  """One split of one corpus.

  Args:
    corpus: `embedded`; or the folder of a prepared corpus, or above a single one; or a folder of tracks as `mt3-synth render` writes it.
      A relative path is looked for in the current folder, then under `data_dir`.
    split: train, validation or test.
    data_dir: where prepared corpora lie.

  Raises:
    InputError: there is no such folder, nothing of either kind in it, or no song of that split.
  """
  if corpus == 'embedded':
    return SongsInMemory(read_corpus(corpus, split))
  folder = find_folder(corpus, data_dir)
  if has_tracks(folder):
    return SongsInMemory(read_corpus(folder, split))
  return PreparedSource(PreparedSplit(find_prepared(folder), split))


def find_folder(corpus: str, data_dir: str = '') -> Path:
  """Where `open_source` looks for a corpus.  Raises InputError when there is no such folder."""
  places = [Path(corpus).expanduser()] + ([Path(data_dir).expanduser() / corpus] if data_dir else [])
  folder = next((place for place in places if place.is_dir()), None)
  if folder is None:
    looked = ' or '.join(map(str, places))
    hint = '' if data_dir or Path(corpus).is_absolute() else ', or give DATA_DIR, where prepared corpora lie'
    raise InputError(f'no corpus {corpus!r}: expected a folder {looked}; prepare it (`mt3-synth prepare`){hint}')
  return folder


def check_features(mel: MelConfig) -> None:
  """Raises InputError for features of other frames than corpora are cut in."""
  default = MelConfig()
  if (mel.sample_rate, mel.hop) != (default.sample_rate, default.hop):
    raise InputError(
      f'MelConfig has {mel.sample_rate} Hz and hops of {mel.hop} samples; corpora are read at {default.sample_rate} Hz in hops of '
      f'{default.hop}: train with those'
    )
