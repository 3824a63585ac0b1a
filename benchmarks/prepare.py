"""Hours of audio that one core prepares in an hour from FLAC like Slakh's, against decoding and resampling the same files alone.

`python -m benchmarks prepare`.  The corpus is made of the embedded one: tracks of two minutes with ten stems at 44.1 kHz.
"""

import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr
import yaml

from data_prep.prepare.corpora import load_corpus
from data_prep.prepare.folder import Prepared
from data_prep.prepare.job import prepare
from data_prep.prepare.local import write_locally
from data_prep.prepare.plan import make_plan
from mt3_synth.data.songs import Song, read_corpus
from mt3_synth.notes import concatenate, write_midi

TRACKS, STEMS, SECONDS, RATE = 2, 10, 120, 44100
RUNS = 3


def run() -> dict:
  """Prepares subsets of stems, and full mixes, on one core.

  Returns:
    hours of audio in the result for an hour of one core, beside those that could be had by decoding alone, and by decoding and
    resampling; how the time of a preparation is shared; gigabytes for an hour; peak memory with some songs and with four times as many.
  """
  with tempfile.TemporaryDirectory() as name:
    folder, figures = Path(name), {}
    source = write_tracks(folder / 'source', TRACKS)
    for config, files in (('subsets_10', 'stems/*.flac'), ('full_mix', 'mix.flac')):
      times, prepared = measure(source, folder, config, sorted(source.glob(f'train/*/{files}')))
      hours, whole = prepared.seconds / 3600, times['preparing']
      figures[f'{config}_hours_per_core_hour'] = 3600 * hours / whole
      figures[f'{config}_hours_by_decoding_alone'] = 3600 * hours / times['decoding']
      figures[f'{config}_hours_by_decoding_and_resampling'] = 3600 * hours / times['resampling']
      figures[f'{config}_share_of_decoding'] = times['decoding'] / whole
      figures[f'{config}_share_of_resampling'] = (times['resampling'] - times['decoding']) / whole
      figures[f'{config}_share_of_notes_and_sums'] = (times['reading'] - times['resampling']) / whole
      figures[f'{config}_share_of_writing'] = (whole - times['reading']) / whole
      figures[f'{config}_gigabytes_per_hour'] = prepared.bytes / hours / 1e9
    few, many = (peak_memory(write_tracks(folder / f'{count}', count, source), folder / f'out {count}') for count in (TRACKS, 4 * TRACKS))
    return figures | {'peak_memory_mb': few, 'peak_memory_mb_four_times_the_songs': many, 'memory_ratio': many / few}


def measure(source: Path, folder: Path, config: str, paths: list[Path]) -> tuple[dict[str, float], Prepared]:
  """Processor seconds of each part of a preparation, each with those before it; and the result."""
  plan = make_plan(load_corpus('slakh2100'), source, config)
  outs = iter(folder / f'{config} {number}' for number in range(RUNS + 1))
  results = []
  times = {
    'decoding': seconds_of(lambda: decode_all(paths)),
    'resampling': seconds_of(lambda: decode_all(paths, resample=True)),
    'reading': seconds_of(lambda: [song.read() for shard in plan.shards for song in shard.songs]),
    'preparing': seconds_of(lambda: results.append(prepare_tracks(source, next(outs), config))),
  }
  return times, results[-1]


def write_tracks(folder: Path, count: int, like: Path | None = None) -> Path:
  """Tracks in Slakh's layout; links to those of another such folder where one is given."""
  songs = read_corpus('embedded', 'train')
  for number in range(count):
    track = folder / 'train' / f'Track{number + 1:05d}'
    if like:
      track.parent.mkdir(parents=True, exist_ok=True)
      track.symlink_to(sorted(like.glob('train/*'))[number % TRACKS], target_is_directory=True)
    else:
      starts = [(number * STEMS + stem) % len(songs) for stem in range(STEMS)]
      write_track(track, [songs[start:] + songs[:start] for start in starts])
  return folder


def write_track(folder: Path, stems: list[list[Song]]) -> None:
  for name in ('MIDI', 'stems'):
    (folder / name).mkdir(parents=True)
  mix, description = np.zeros(SECONDS * RATE, np.int32), {}
  for number, songs in enumerate(stems):
    name, audio, notes, at = f'S{number:02d}', np.zeros(SECONDS * 16000, np.int16), [], 0
    for song in songs:
      part = song.audio[: len(audio) - at] // 8
      audio[at : at + len(part)] = part
      inside = song.notes.select(song.notes.program == song.notes.program[0])  # one instrument's
      notes.append(inside.shift(at / 16000).crop(0, SECONDS))
      at += len(part)
    fine = soxr.resample(audio, 16000, RATE)[: len(mix)]
    mix[: len(fine)] += fine
    soundfile.write(folder / 'stems' / f'{name}.flac', fine, RATE)
    write_midi(concatenate(notes).sorted(), folder / 'MIDI' / f'{name}.mid')
    description[name] = {'program_num': 8 * number, 'is_drum': False, 'audio_rendered': True, 'midi_saved': True}
  soundfile.write(folder / 'mix.flac', mix.astype(np.int16), RATE)
  (folder / 'metadata.yaml').write_text(yaml.safe_dump({'stems': description}))


def prepare_tracks(source: Path, out: Path, config: str) -> Prepared:
  return prepare(make_plan(load_corpus('slakh2100'), source, config), out, partial(write_locally, workers=1))


def decode_all(paths: list[Path], resample: bool = False) -> None:
  for path in paths:
    audio, rate = soundfile.read(path, dtype='float32')
    if resample:
      soxr.resample(audio, rate, 16000)


def seconds_of(function: Callable[[], object]) -> float:
  """Processor time of the fastest of some calls, after one that is not counted."""
  function()
  times = []
  for _ in range(RUNS):
    start = time.process_time()
    function()
    times.append(time.process_time() - start)
  return min(times)


def peak_memory(source: Path, out: Path) -> float:
  """Of a process that prepares the subsets, in megabytes."""
  context = multiprocessing.get_context('spawn')
  mine, theirs = context.Pipe()
  process = context.Process(target=_report_memory, args=(source, out, theirs))
  process.start()
  peak = mine.recv()
  process.join()
  return peak


def _report_memory(source: Path, out: Path, connection) -> None:
  prepare_tracks(source, out, 'subsets_10')
  status = Path('/proc/self/status').read_text()  # Linux; getrusage counts the parent's memory before the process began
  connection.send(int(re.search(r'VmHWM:\s+(\d+) kB', status)[1]) / 1000)  # pyright: ignore[reportOptionalSubscript]
