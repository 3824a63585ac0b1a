"""Training examples a second from a prepared corpus of ten hours, against crops decoded from FLAC files.

`python -m benchmarks loader`.  The corpus, 1.3 GB, is made once, in the system's folder for temporary files.
"""

import dataclasses
import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import soundfile

from data_prep.corpus import Corpus, SongSource
from data_prep.prepare.job import prepare
from data_prep.prepare.local import write_locally
from data_prep.prepare.plan import make_plan
from mt3_synth.audio.mel import samples_for
from mt3_synth.config import ModelConfig
from mt3_synth.data.drawing import generator
from mt3_synth.data.loader import THREADS, CropLoader
from mt3_synth.data.pieces import PIECE_FRAMES
from mt3_synth.data.prepared import PreparedSplit
from mt3_synth.data.songs import Song, read_corpus
from mt3_synth.data.sources import PreparedSource
from mt3_synth.notes import concatenate, encode_segments, song_events

HOURS = 10
SONG_SECONDS = 240
FLAC_SONGS = 10
BATCH = 256
BATCHES = 20
RATE = 16000


def long_song(number: int, seconds: int = SONG_SECONDS) -> Song:
  """Pieces of the embedded corpus one after the other and two at a time, each with its notes transposed: as many notes as a band plays."""
  songs, rng = _embedded(), generator(number)
  audio, notes = np.zeros(seconds * RATE, np.int16), []
  for _ in range(2):
    at = -int(rng.integers(10 * RATE))
    while at < len(audio):
      song, shift, semitones = songs[rng.integers(len(songs))], at / RATE, int(rng.integers(-5, 6))
      part = song.audio[max(-at, 0) : len(audio) - at]
      audio[max(at, 0) : max(at, 0) + len(part)] += part // 2
      pitch = np.where(song.notes.is_drum, song.notes.pitch, np.clip(song.notes.pitch.astype(int) + semitones, 0, 127))
      moved = dataclasses.replace(
        song.notes, onset=song.notes.onset + shift, offset=song.notes.offset + shift, pitch=pitch.astype(np.uint8)
      )
      notes.append(moved.select((moved.onset >= 0) & (moved.onset < seconds)))
      at += len(song.audio)
  return Song(f'song {number:04d}', concatenate(notes).sorted(), audio, 'benchmark', 'Apache-2.0')


@functools.cache
def _embedded() -> list[Song]:
  return read_corpus('embedded', 'train')


def _list(source: str | Path) -> Iterator[SongSource]:
  for number in range(int(Path(source).name)):
    yield SongSource(f'song {number:04d}', 'train', functools.partial(long_song, number), SONG_SECONDS)


CORPUS = Corpus('benchmark', 'Apache-2.0', 'Made for measuring.', '', '', _list)


def prepared(hours: float = HOURS) -> Path:
  """A corpus of so many hours, made if it is not there from an earlier run."""
  out = Path(tempfile.gettempdir()) / 'mt3_synth_benchmark' / f'{hours:g}_hours'
  plan = make_plan(CORPUS, str(round(hours * 3600 / SONG_SECONDS)))
  return prepare(plan, out, functools.partial(write_locally, workers=os.cpu_count() or 1)).folder


def from_flac(songs: Sequence[Song], folder: Path, config: ModelConfig) -> Callable[[int], dict[str, Any]]:
  """Makes example n as one does without preparation: a crop sought and decoded in a song's FLAC file; the notes' events made beforehand."""
  network = config.network
  files, events = [folder / f'{song.name}.flac' for song in songs], [song_events(song.notes, config.notes) for song in songs]
  for song, path in zip(songs, files, strict=True):
    soundfile.write(path, song.audio, RATE)

  def example(number: int) -> dict[str, Any]:
    rng = generator(0, number)
    n = int(rng.integers(len(songs)))
    start = int(rng.integers(network.context_frames, len(songs[n].audio) // config.mel.hop - network.target_frames - 1))
    with soundfile.SoundFile(files[n]) as file:
      file.seek((start - network.context_frames) * config.mel.hop)
      audio = file.read(samples_for(network.context_frames + network.target_frames), 'int16')
    notes = encode_segments(events[n], np.array([start]), network.target_frames, length=network.note_length)[0]
    target = audio[network.context_frames * config.mel.hop :]
    return {'notes': notes, 'audio': target, 'context_audio': audio[: samples_for(network.context_frames)]}

  return example


def memory() -> float:
  """Megabytes that this process and those it has started hold."""
  pids = [os.getpid()] + [int(pid) for pid in Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text().split()]
  return sum(int(Path(f'/proc/{pid}/statm').read_text().split()[1]) for pid in pids) * os.sysconf('SC_PAGE_SIZE') / 1e6


def run(hours: float = HOURS, batch_size: int = BATCH, batches: int = BATCHES) -> dict:
  """Measures batches as the trainer takes them: tokens of N 2048, context and target of 256 frames, host arrays.

  Returns:
    examples a second in threads and in two worker processes, for one and for four crops a visit; how long a core is busy with one, which
    other work on the machine changes less; megabytes held after two batches and after all; examples a second of the baseline in as many
    threads; the ratio of the first to it; the machine's load before.
  """
  config, source = ModelConfig(), PreparedSource(PreparedSplit(prepared(hours), 'train'))
  figures: dict[str, Any] = {'load_before': os.getloadavg()[0], 'cores': os.cpu_count(), 'hours': hours, 'batch_size': batch_size}
  figures['visits'] = int((source.song_frames // PIECE_FRAMES).sum())
  for workers in (0, 2):
    for crops_per_visit in (1, 4):
      name = f'{"threads" if not workers else f"{workers}_workers"}_{crops_per_visit}_crops_a_visit'
      loader = CropLoader([source], config, batch_size, 0, workers=workers, crops_per_visit=crops_per_visit)
      with loader.walk() as walk:
        for _ in range(2):
          next(walk)
        before, start, busy = memory(), time.perf_counter(), time.process_time()
        for _ in range(batches):
          next(walk)
        examples = batches * batch_size
        figures[f'{name}_examples_per_second'] = examples / (time.perf_counter() - start)
        if not workers:
          figures[f'{name}_cpu_ms_per_example'] = (time.process_time() - busy) / examples * 1e3
        figures[f'{name}_megabytes_first'], figures[f'{name}_megabytes_last'] = before, memory()
  with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(THREADS) as pool:
    example = from_flac([long_song(n) for n in range(FLAC_SONGS)], Path(folder), config)
    example(0)
    start = time.perf_counter()
    jax.tree.map(lambda *arrays: np.stack(arrays), *pool.map(example, range(2 * batch_size)))
    figures['flac_examples_per_second'] = 2 * batch_size / (time.perf_counter() - start)
  return figures | {'ratio': figures['threads_1_crops_a_visit_examples_per_second'] / figures['flac_examples_per_second']}
