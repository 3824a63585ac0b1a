"""`mt3-synth render`: a folder of MIDI files -> a corpus in the layout of Slakh2100-redux, played by FluidSynth.

  mt3-synth render songs --soundfont /usr/share/sounds/sf2/FluidR3_GM.sf2 --out corpus

A song's parts (channel and program) are synthesized one by one at 44.1 kHz without reverb and chorus, made mono, resampled, brought to
one level a song and summed.  Songs, not excerpts, are dealt to train, validation and test.  A second run goes on where the first
stopped.  The same files and options give the same bytes, whatever the number of jobs.
"""

import argparse
import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tqdm import tqdm

from mt3_synth.errors import InputError
from mt3_synth.rendering import fluidsynth
from mt3_synth.rendering.parts import read_song
from mt3_synth.rendering.plan import SPLITS, Job, find_midi, plan
from mt3_synth.rendering.track import PARTIAL, RenderSettings, is_finished, render_track

SOME_SKIPPED = 3  # exit status


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('midi_dir', type=Path, metavar='MIDI_DIR', help='folder of MIDI files, searched with all its folders')
  parser.add_argument('--soundfont', type=Path, required=True, metavar='FILE', help='a General MIDI soundfont (.sf2)')
  parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='the corpus; finished tracks in it are kept')
  parser.add_argument('--sample-rate', type=int, default=16000, metavar='HZ', help='of the written audio (default 16000)')
  parser.add_argument('--format', choices=('flac', 'wav'), default='flac', help='16 bit either way (default flac)')
  parser.add_argument('--jobs', type=int, default=0, metavar='N', help='processes (default: one a core)')
  parser.add_argument('--split', type=_shares, default=(0.8, 0.1, 0.1), metavar='A,B,C', help='shares of train, validation, test')
  parser.add_argument('--seed', type=int, default=0, help='of the split (default 0)')
  for split in ('validation', 'test'):
    parser.add_argument(
      f'--{split}', action='append', default=[], metavar='PATTERN', help=f'names (with * and ?) that go to {split}; may be repeated'
    )
  parser.add_argument('--no-stems', action='store_true', help='write the mix and the stem MIDI files, no audio of the stems')
  parser.add_argument('--tail', type=float, default=2.0, metavar='S', help='seconds of release kept after the last event (default 2)')
  parser.add_argument('--loudness', type=float, default=-20.0, metavar='DB', help='mean level of the mixes (default -20 dBFS)')
  parser.add_argument(
    '--timing',
    choices=('exact', 'player'),
    default='exact',
    help="events at the file's times (default), or when FluidSynth's own player plays them",
  )
  parser.add_argument('--max-minutes', type=float, default=60.0, metavar='M', help='longer songs are skipped (default 60)')


def run(args: argparse.Namespace) -> int:
  """Renders what isn't there yet.  Exit status 3 if songs were skipped.

  Raises:
    InputError: nothing could be done: no MIDI files, no soundfont, no FluidSynth, a folder in the way, or every song unusable.
  """
  _check(args)
  sources = find_midi(args.midi_dir, besides=args.out)
  jobs = plan(args.midi_dir, sources, args.split, args.seed, args.validation, args.test)
  fluidsynth.check_soundfont(args.soundfont)
  settings = RenderSettings(
    soundfont=args.soundfont.name,
    soundfont_sha256=fluidsynth.digest(args.soundfont),
    fluidsynth=fluidsynth.version(),
    sample_rate=args.sample_rate,
    format=args.format,
    stems=not args.no_stems,
    tail=args.tail,
    loudness=args.loudness,
    max_minutes=args.max_minutes,
    timing=args.timing,
  )
  todo = [job for job in jobs if not _is_done(job, settings, args.out)]
  _claim(args.out)
  seconds, skipped = _render(todo, args.soundfont, settings, args.out, args.jobs)

  rendered = len(todo) - len(skipped)
  kept = len(jobs) - len(todo)
  if not rendered and not kept:
    raise InputError(f'none of the {len(jobs)} MIDI files could be rendered; the first: {skipped[0]}')
  print(f'{args.out}: {rendered} tracks rendered ({seconds / 60:.1f} minutes), {kept} were there, {len(skipped)} skipped')
  for reason in skipped:
    print(f'  skipped {reason}', file=sys.stderr)
  return SOME_SKIPPED if skipped else 0


def _render(todo, soundfont, settings, out, workers):
  """Renders all of `todo`.  Returns (seconds of audio, reasons of the skipped)."""
  workers = min(workers or os.cpu_count() or 1, len(todo))
  seconds, skipped = 0.0, []
  try:
    with tqdm(total=len(todo), desc='render', unit='track', disable=None) as bar:
      for result in _results(todo, soundfont, settings, out, workers):
        if isinstance(result, float):
          seconds += result
        else:
          skipped.append(result)
        bar.update()
  finally:
    shutil.rmtree(out / PARTIAL, ignore_errors=True)
    for folder in (*(out / split for split in SPLITS), out):
      with contextlib.suppress(OSError):  # only what is empty goes
        folder.rmdir()
  return seconds, sorted(skipped)


def _results(todo, soundfont, settings, out, workers):
  if workers <= 1:
    yield from (_attempt(job, soundfont, settings, out) for job in todo)
    return
  pool = ProcessPoolExecutor(workers, multiprocessing.get_context('spawn'), initializer=_ignore_interrupts)
  try:
    futures: list[Future] = [pool.submit(_attempt, job, soundfont, settings, out) for job in todo]
    for future in as_completed(futures):
      yield future.result()
  except BrokenProcessPool:
    raise InputError('a rendering process was killed, perhaps for lack of memory; try again with fewer --jobs') from None
  finally:
    pool.shutdown(wait=True, cancel_futures=True)


def _attempt(job: Job, soundfont, settings, out) -> float | str:
  """Seconds of audio, or why the song was skipped.  What would stop every song is raised."""
  try:
    song = read_song(job.source)
  except InputError as e:
    return str(e)
  if song.duration > 60 * settings.max_minutes:
    return f'{job.source}: {song.duration / 60:.0f} minutes long, expected at most {settings.max_minutes:g} (--max-minutes)'
  return render_track(job, song, soundfont, settings, out)


def _ignore_interrupts():  # the parent hears Ctrl-C and lets the tracks in work end
  signal.signal(signal.SIGINT, signal.SIG_IGN)


def _is_done(job, settings, out):
  for split in SPLITS:
    if split != job.split and (out / split / job.track).exists():
      raise InputError(f'{out / split / job.track}: now it would be in {job.split}; choose another --out, or the old --seed and split')
  return is_finished(out / job.split / job.track, job, settings)


def _claim(out):
  try:
    (out / PARTIAL).mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise InputError(f'{out}: cannot be written ({e.strerror or e}); choose another --out') from None


def _check(args):
  if not 8000 <= args.sample_rate <= 48000:
    raise InputError(f'--sample-rate {args.sample_rate}: expected 8000 to 48000')
  if args.jobs < 0:
    raise InputError(f'--jobs {args.jobs}: expected 1 or more, or 0 for one a core')
  if not 0 <= args.tail <= 60:
    raise InputError(f'--tail {args.tail}: expected 0 to 60 seconds')
  if not -60 <= args.loudness <= -1:
    raise InputError(f'--loudness {args.loudness}: expected -60 to -1 dBFS')
  if not args.max_minutes > 0:
    raise InputError(f'--max-minutes {args.max_minutes}: expected more than 0')


def _shares(text):
  return tuple(float(share) for share in text.split(','))
