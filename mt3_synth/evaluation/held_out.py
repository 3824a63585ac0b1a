"""Playing pieces from their notes and measuring how near that comes to their recordings."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from mt3_synth.audio.mel import log_mel_in_blocks
from mt3_synth.config import MelConfig
from mt3_synth.data.songs import Song
from mt3_synth.evaluation.chroma import chroma_cosine
from mt3_synth.evaluation.spectral import correlation, mel_l1

MEASURES = ('mel L1 [ln]', 'correlation', 'chroma cosine')


def song_mel(song: Song, config: MelConfig) -> np.ndarray:
  """The log-mel [T, D] of a song's recording."""
  return log_mel_in_blocks(song.audio, config)


def play_and_measure(play: Callable[..., Any], songs: Iterable[Song], config: MelConfig) -> Iterator[tuple[Song, Any, dict[str, float]]]:
  """Each song, what `play(notes)` made of its notes (an `AudioOutput`), and its measures: `MEASURES` by name."""
  for song in songs:
    output, target = play(song.notes), song_mel(song, config)
    harmony = chroma_cosine(song.audio / 32768, output.audios[0], output.sample_rate)
    values = (mel_l1(target, output.mels[0]), correlation(target, output.mels[0]), harmony)
    yield song, output, dict(zip(MEASURES, values, strict=True))


def measure_constant(mean: np.ndarray, songs: Iterable[Song], config: MelConfig) -> list[dict[str, float]]:
  """The measures of a spectrogram that is `mean` [D] in every frame: what a model must beat.  It has no sound, so no harmony."""
  scores = []
  for song in songs:
    target = song_mel(song, config)
    constant = np.broadcast_to(mean, target.shape)
    values = (mel_l1(target, constant), correlation(target, constant), float('nan'))
    scores.append(dict(zip(MEASURES, values, strict=True)))
  return scores


def mean_spectrum(songs: Iterable[Song], config: MelConfig) -> np.ndarray:
  """The mean log-mel [D] over all frames of the songs."""
  mels = [song_mel(song, config) for song in songs]
  return np.sum([mel.sum(axis=0) for mel in mels], axis=0) / sum(len(mel) for mel in mels)


def average(scores: list[dict[str, float]]) -> dict[str, float]:
  """The unweighted mean over songs of each measure."""
  return {name: float(np.mean([score[name] for score in scores])) for name in MEASURES}


def table(rows: list[dict[str, Any]]) -> str:
  """Rows {column: value} of the same columns, as aligned text."""
  columns = list(rows[0])
  lines = [columns, *([f'{row[c]:.3f}' if isinstance(row[c], float) else str(row[c]) for c in columns] for row in rows)]
  widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
  return '\n'.join('  '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
