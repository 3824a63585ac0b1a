"""`mt3-synth listen`: a blind listening test of a report's songs, as a folder to give to listeners."""

import argparse
from pathlib import Path

from mt3_synth.errors import InputError
from mt3_synth.reporting.comparison import TARGET
from mt3_synth.reporting.listening import systems_of, write_test
from mt3_synth.reporting.media import read_media

TITLE = 'Listening test'


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('report', type=Path, metavar='REPORT', help='a folder that `mt3-synth report` wrote')
  parser.add_argument(
    '--out', required=True, type=Path, metavar='DIR', help='a new folder: its page and sounds; the key goes to DIR.key.json'
  )
  parser.add_argument('--songs', type=int, default=8, help='songs to rate, a page each (default 8)')
  parser.add_argument('--seconds', type=float, default=8.0, help='of each excerpt (default 8)')
  parser.add_argument('--seed', type=int, default=0, help="of excerpts and sounds' names (default 0)")
  parser.add_argument('--title', default=TITLE, help=f'of the page; let it not tell what is compared (default {TITLE})')


def run(args: argparse.Namespace) -> int:
  if args.songs < 1 or not 1 <= args.seconds <= 60:
    raise InputError(f'--songs {args.songs} --seconds {args.seconds:g}: expected at least 1 song of 1 to 60 seconds')
  shown = read_media(args.report)
  path, key = write_test(args.out, args.report, shown, TARGET, args.title, songs=args.songs, seconds=args.seconds, seed=args.seed)
  print(f'{len(key.trials)} songs of {len(systems_of(key))} sounds each: {args.out / "index.html"}')
  print(f'Give listeners the folder {args.out} and nothing else; what the sounds are is in {path}.')
  print(f'With what they save: mt3-synth report ... --ratings FILES --ratings_key {path}')
  return 0
