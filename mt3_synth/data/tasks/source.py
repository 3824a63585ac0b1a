"""A prepared corpus as a SeqIO data source.

SeqIO's own TfdsDataSource can't be it: TFDS does not read ArrayRecord through tf.data.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from mt3_synth.config import ModelConfig
from mt3_synth.data.drawing import Visits, consecutive_starts
from mt3_synth.data.examples import pieces_around
from mt3_synth.data.pieces import PIECE_FRAMES, Excerpt, Piece, decode_piece, encode_piece, frames_of, join
from mt3_synth.data.prepared import PreparedSplit, find_prepared
from mt3_synth.data.sources import PreparedSource, check_features
from mt3_synth.data.tasks.callbacks import call_numpy


class Segments:
  """The consecutive segments of every song, in the order of the songs: (song, first frame)."""

  def __init__(self, song_frames: np.ndarray, target_frames: int):
    self.target_frames = target_frames
    counts = [len(consecutive_starts(int(frames), target_frames)) for frames in song_frames]
    self.first = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

  def __len__(self) -> int:
    return int(self.first[-1])

  def __getitem__(self, index: int) -> tuple[int, int]:
    song = int(np.searchsorted(self.first, index, 'right')) - 1
    return song, int(index - self.first[song]) * self.target_frames


class ExcerptSource(seqio.DataSource):
  """Excerpts of the songs of a prepared corpus, each as long as an example needs.

  Examples: `excerpt` (bytes, of `decode_excerpt`), `song_id`, `start` (int32 frame of the song) and `song_frames` (int32).  With
  `segments`, one for each consecutive segment, which begins at `start`; otherwise one for each visit (`drawing.Visits`), whose piece
  begins at `start`.  Opens no file before it is asked for something.
  """

  def __init__(self, folder: str | Path, config: ModelConfig, *, segments: bool):
    """A source.

    Args:
      folder: of `find_prepared`.
      config: says how long a target and a context are.
      segments: consecutive segments of each song, or visits to draw crops in.

    Raises:
      InputError: `config` asks for features of other frames than corpora are cut in.
    """
    check_features(config.mel)
    super().__init__(splits=(), performs_internal_shuffling=True)
    self.folder = Path(folder)
    self.config = config
    self.segments = segments
    self._opened = functools.cache(self._open)

  @property
  def splits(self) -> tuple[str, ...]:
    """Those in the folder.  Raises InputError where no corpus is."""
    names = sorted(file.stem.removeprefix('songs-') for file in find_prepared(self.folder).glob('songs-*.jsonl'))
    return tuple(names)

  @property
  def supports_arbitrary_sharding(self) -> bool:
    return True

  def list_shards(self, split: str) -> list[str]:
    """The files: into so many parts SeqIO's cache script divides its work."""
    return [str(path) for path in self._opened(split)[0].shards]

  def num_input_examples(self, split: str) -> int:
    return len(self._opened(split)[1])

  def get_dataset(self, split='train', shuffle=True, seed=None, shard_info=None, **_) -> tf.data.Dataset:
    """The examples of a shard: every `num_shards`-th.  All are shuffled, in another order each epoch."""
    pieces, examples = self._opened(split)
    count = len(examples)
    dataset = tf.data.Dataset.range(count)
    if shard_info:
      dataset = dataset.shard(shard_info.num_shards, shard_info.index)
    if shuffle and count:
      dataset = dataset.shuffle(count, seed=seed)
    before, after = pieces_around(self.config)

    def read(index):
      song, start = examples[int(index)]
      start = start if self.segments else start * PIECE_FRAMES
      row = pieces.songs[song]
      excerpt = pieces.excerpt(int(pieces.first[song]) + start // PIECE_FRAMES, before, after)
      return encode_excerpt(excerpt, row.samples), row.song_id.encode(), np.int32(start), np.int32(frames_of(row.samples))

    outputs = {'excerpt': tf.string, 'song_id': tf.string, 'start': tf.int32, 'song_frames': tf.int32}

    def example(index):
      values = call_numpy(read, [index], *((dtype, []) for dtype in outputs.values()))
      return dict(zip(outputs, values, strict=True))

    return dataset.map(example, num_parallel_calls=tf.data.AUTOTUNE)

  def _open(self, split: str) -> tuple[PreparedSplit, Any]:
    source = PreparedSource(PreparedSplit(self.folder, split))
    source.split.read(0, 1)  # opens the files here, not in several threads at once
    return source.split, (Segments if self.segments else Visits)(source.song_frames, self.config.network.target_frames)


def encode_excerpt(excerpt: Excerpt, song_samples: int) -> bytes:
  """An excerpt as one long piece."""
  song = excerpt.song
  rows = np.arange(len(song.notes), dtype=np.int32)
  index = excerpt.first_frame // PIECE_FRAMES
  return encode_piece(Piece(song.name, index, song_samples, song.audio, song.notes, rows, song.corpus, song.licence))


def decode_excerpt(record: bytes) -> Excerpt:
  """Reads what `encode_excerpt` wrote."""
  return join([decode_piece(record)])
