"""Batches of random crops.  Batch n is a function of (seed, n) alone, so a resumed run sees what an uninterrupted one would."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from mt3_synth.config import ModelConfig
from mt3_synth.data.examples import Crops
from mt3_synth.data.pieces import whole
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError, InputWarning

FIRST_SEGMENT_SHARE = 0.02  # crops at a song's very start, which no random start would draw


class CropLoader:
  """Random access to batches of crops, songs drawn in proportion to their length."""

  def __init__(self, songs: list[Song], config: ModelConfig, batch_size: int, seed: int):
    if not songs:
      raise InputError('no songs to draw crops from')
    self.songs = [Crops(whole(song), config) for song in songs]
    self.batch_size = batch_size
    self.seed = seed
    self.frames = config.network.target_frames
    lengths = np.array([song.excerpt.song_frames for song in self.songs], float)
    self.share = lengths / lengths.sum()

  def batch(self, index: int) -> dict[str, Any]:
    """Batch `index`: the arrays of `Crops.crop`, stacked to [B, ...]."""
    rng = np.random.default_rng((self.seed, index))
    chosen = rng.choice(len(self.songs), self.batch_size, p=self.share)
    with warnings.catch_warnings():  # dense crops lose their faintest notes: expected in training
      warnings.simplefilter('ignore', InputWarning)
      examples = [self.songs[song].crop(self._start(rng, self.songs[song])) for song in chosen]
    return jax.tree.map(lambda *arrays: np.stack(arrays), *examples)

  def _start(self, rng, song: Crops) -> int:
    at_start, start = rng.random() < FIRST_SEGMENT_SHARE, rng.integers(max(song.excerpt.song_frames - self.frames, 0) + 1)
    return 0 if at_start else int(start)

  def from_step(self, step: int) -> Iterator[dict[str, Any]]:
    """Batches step, step + 1, ..., the next one being made while the caller works."""
    with ThreadPoolExecutor(1) as pool:
      pending = pool.submit(self.batch, step)
      while True:
        step += 1
        ready, pending = pending.result(), pool.submit(self.batch, step)
        yield ready
