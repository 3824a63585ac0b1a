"""`mt3-synth inspect`: what is in a prepared corpus, and whether its notes and its sound agree."""

import argparse
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mt3_synth.audio.files import SAMPLE_RATE, write_audio
from mt3_synth.data.pieces import PIECE_SAMPLES, Excerpt
from mt3_synth.data.prepared import PreparedSplit, find_prepared
from mt3_synth.data.statistics import DRUMS, Statistics, statistics, total
from mt3_synth.errors import InputError
from mt3_synth.evaluation.alignment import Alignment, align
from mt3_synth.evaluation.held_out import table
from mt3_synth.evaluation.sonify import sonify
from mt3_synth.instruments import PROGRAMS

LONGEST_ROW = 2048  # tokens, as published
SHOWN_SUSPECTS = 3  # songs the page shows by itself
MOST_LISTED = 50
EXCERPT_PIECES = 4  # 20 s of a song


@dataclass(frozen=True)
class Inspected:
  """One song, looked at."""

  split: str
  song_id: str
  statistics: Statistics
  alignment: Alignment


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('corpus', metavar='DIR', help='a prepared corpus, as `mt3-synth prepare` writes it')
  parser.add_argument(
    '--example', action='append', default=[], metavar='ID', help='show this song, or SONG/00012 from its twelfth piece on; repeat'
  )
  parser.add_argument('--out', default='inspect', metavar='FOLDER', help='where index.html and statistics.json go (default ./inspect)')
  parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='processes (default: one a core)')


def run(args: argparse.Namespace) -> int:
  folder, out = find_prepared(args.corpus), Path(args.out)
  if args.workers < 1:
    raise InputError(f'--workers is {args.workers}, expected at least 1')
  splits = {
    file.stem.removeprefix('songs-'): PreparedSplit(folder, file.stem.removeprefix('songs-'))
    for file in sorted(folder.glob('songs-*.jsonl'))
  }
  examples = [_find_example(splits, name) for name in args.example]
  try:
    out.mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise InputError(f'{out}: {e.strerror}; give a folder that can be written') from None
  songs = inspect_songs(splits, args.workers)
  rows = [_row(split, total(song.statistics for song in songs if song.split == split)) for split in splits]
  suspects = sorted((song for song in songs if song.alignment.suspicious), key=lambda song: song.alignment.score)
  print(table(rows))
  print(f'\n{len(suspects)} of {len(songs)} songs look misaligned{":" if suspects else ""}')
  for song in suspects[:MOST_LISTED]:
    print(f'  {song.split}/{song.song_id}: {song.alignment.suspicious} (score {song.alignment.score:.2f})')
  if len(suspects) > MOST_LISTED:
    print(f'  and {len(suspects) - MOST_LISTED} more: see statistics.json')
  examples += [_find_example(splits, f'{song.split}/{song.song_id}') for song in suspects[:SHOWN_SUSPECTS] if not args.example]
  if not examples:
    first = next(split for split in splits.values() if len(split))
    examples = [_find_example(splits, f'{first.split}/{first.songs[0].song_id}')]
  _write_report(folder, out, songs, rows, suspects, examples)
  print(f'\n{out / "index.html"}')
  return 0


def inspect_songs(splits: dict[str, PreparedSplit], workers: int = 1) -> list[Inspected]:
  """Every song of every split, in order, read and looked at by as many processes."""
  jobs = [(split, number) for split in splits.values() for number in range(len(split.songs))]
  return list(tqdm(_mapped(inspect_song, jobs, workers), total=len(jobs), unit='song', desc='inspect'))


def inspect_song(job: tuple[PreparedSplit, int]) -> Inspected:
  """One song, given by its split and number."""
  split, number = job
  song = split.song(number).song
  return Inspected(split.split, song.name, statistics(song), align(song.audio, song.notes))


def _mapped(function: Callable, jobs: list, workers: int):
  if workers == 1:
    yield from map(function, jobs)
    return
  with ProcessPoolExecutor(workers, mp_context=get_context('spawn')) as pool:
    yield from pool.map(function, jobs, chunksize=4)


def _row(split: str, s: Statistics) -> dict[str, Any]:
  return {
    'split': split,
    'songs': s.songs,
    'hours': s.seconds / 3600,
    'notes': s.notes,
    'programs': len(s.of_program),
    'polyphony': s.polyphony,
    'most at once': s.most_at_once,
    'tokens (median)': s.token_percentile(50),
    'tokens (99 %)': s.token_percentile(99),
    f'over {LONGEST_ROW}': f'{s.share_longer(LONGEST_ROW):.2%}',
    'licence': ', '.join(s.licences) or 'not said',
  }


def _find_example(splits: dict[str, PreparedSplit], name: str) -> tuple[str, Excerpt]:
  """An example's heading and 20 s of its song.  `name`: SONG, SPLIT/SONG, or either with /PIECE behind."""
  song_name, _, piece = name.rpartition('/')
  wanted = {name: 0} | ({song_name: int(piece)} if piece.isdigit() else {})
  for split in splits.values():
    for number, song in enumerate(split.songs):
      for own in (song.song_id, f'{split.split}/{song.song_id}'):
        if wanted.get(own, song.pieces) < song.pieces:
          return f'{split.split}/{song.song_id}', split.excerpt(int(split.first[number]) + wanted[own], 0, EXCERPT_PIECES - 1)
  some = ', '.join(song.song_id for split in splits.values() for song in split.songs[:2])
  raise InputError(f'no example {name!r}; songs are called, for example, {some}, and their pieces SONG/00000')


def _write_report(folder: Path, out: Path, songs: list[Inspected], rows: list[dict], suspects: list[Inspected], examples: list) -> None:
  from mt3_synth.demo_page import Piece, write_page
  from mt3_synth.plots import plot_bars, plot_histogram

  everything = total(song.statistics for song in songs)
  named = {('Drums' if program == DRUMS else PROGRAMS[program]): count for program, count in everything.of_program.most_common(40)}
  pictures = {}
  if named:
    pictures['Notes of each instrument'] = out / 'programs.png'
    plot_bars(named, pictures['Notes of each instrument'], xlabel='notes')
  if everything.tokens:
    pictures['Tokens of 5.12 s segments'] = out / 'tokens.png'
    plot_histogram(everything.tokens, out / 'tokens.png', xlabel='tokens', ylabel='segments', limit=LONGEST_ROW)
  listed = '; '.join(f'{song.split}/{song.song_id}: {song.alignment.suspicious}' for song in suspects[:MOST_LISTED])
  facts = {'songs that look misaligned': f'{len(suspects)} of {len(songs)}'}
  pieces = [Piece('All songs', pictures=pictures, facts=facts, text=listed)]
  found = {f'{song.split}/{song.song_id}': song.alignment for song in songs}
  pieces += [_example_page(out, number, name, excerpt, found[name]) for number, (name, excerpt) in enumerate(examples)]
  (out / 'statistics.json').write_text(
    json.dumps({'corpus': str(folder), 'splits': rows, 'songs': [_as_json(song) for song in songs]}, indent=1)
  )
  write_page(
    out / 'index.html',
    f'{folder.parent.parent.name}: what is in it',
    pieces,
    introduction='Each example: the piano roll above the spectrogram of its sound; the recording, its notes as plain tones, and both.',
    results=rows,
  )


def _example_page(out: Path, number: int, name: str, excerpt: Excerpt, alignment: Alignment):
  from mt3_synth.audio.mel import log_mel
  from mt3_synth.demo_page import Piece
  from mt3_synth.plots import plot_song

  start = excerpt.first_frame // 256 * PIECE_SAMPLES / SAMPLE_RATE
  seconds = len(excerpt.song.audio) / SAMPLE_RATE
  notes = excerpt.song.notes.crop(start, start + seconds)
  tones = sonify(notes, seconds)
  stem = out / f'example-{number}'
  sound = excerpt.song.audio / np.float32(32768)
  files = {label: stem.with_name(f'{stem.name}-{label}.wav') for label in ('recording', 'notes', 'both')}
  for label, audio in zip(files, (sound, tones, 0.5 * sound + 0.5 * tones), strict=True):
    write_audio(files[label], np.clip(audio, -1, 1))
  picture = stem.with_suffix('.png')
  plot_song(notes, np.asarray(log_mel(excerpt.song.audio)), picture, title=f'{name}, from {start:.1f} s')
  facts = {
    'lag': f'{alignment.lag:+.2f} s',
    'agreement': alignment.score,
    'drift': f'{alignment.drift:+.2f} s',
    'licence': excerpt.song.licence,
  }
  return Piece(name, {'Notes above sound': picture}, files, facts, alignment.suspicious)


def _as_json(song: Inspected) -> dict[str, Any]:
  s = song.statistics
  figures = {'seconds': s.seconds, 'notes': s.notes, 'polyphony': s.polyphony, 'most_tokens': max(s.tokens, default=0)}
  measured = {name: None if np.isnan(value) else value for name, value in song.alignment._asdict().items()}
  return {'split': song.split, 'song_id': song.song_id, **figures, **measured, 'suspicious': song.alignment.suspicious}
