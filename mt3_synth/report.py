"""`mt3-synth report`: evaluations of the same songs side by side, as tables and as a page to look at and listen to."""

import argparse
from pathlib import Path

from mt3_synth.errors import InputError
from mt3_synth.reporting.comparison import read_comparison
from mt3_synth.reporting.media import write_media
from mt3_synth.reporting.page import write_report_page
from mt3_synth.reporting.ratings import read_ratings
from mt3_synth.reporting.summary import DRAWS, summarise
from mt3_synth.reporting.tables import write_tables


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('evaluations', nargs='+', metavar='EVAL', help='folders that `mt3-synth evaluate` wrote, of the same songs')
  parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='where index.html, metrics.json and the tables go')
  parser.add_argument(
    '--names',
    nargs='+',
    default=[],
    metavar='NAME',
    help="one a folder, the same for seeds of one model (the evaluations' own if not given)",
  )
  parser.add_argument('--baseline', metavar='NAME', help='the model that others are compared to (the first if not given)')
  parser.add_argument('--title', help='of the page')
  parser.add_argument(
    '--ratings', nargs='+', default=[], metavar='FILE', help='what listeners saved in a listening test (mt3-synth listen)'
  )
  parser.add_argument('--ratings_key', metavar='FILE', help='the .key.json of that test')
  parser.add_argument('--all_listeners', action='store_true', help='count those too that did not find the hidden reference')
  parser.add_argument('--draws', type=int, default=DRAWS, help=f'of the bootstrap over songs (default {DRAWS})')
  parser.add_argument('--seed', type=int, default=0, help='of the bootstrap (default 0)')
  parser.add_argument('--frechet_infinite', action='store_true', help='also Fréchet distances as of endless sets')
  parser.add_argument('--songs', type=int, default=12, help='songs with pictures and sound, from the worst to the best (default 12)')
  parser.add_argument('--seconds', type=float, default=60.0, help='of each song that are shown (default 60)')


def run(args: argparse.Namespace) -> int:
  for name, value, least in (('--draws', args.draws, 100), ('--songs', args.songs, 0), ('--seconds', args.seconds, 1)):
    if value < least:
      raise InputError(f'{name} {value}: expected at least {least}')
  if bool(args.ratings) != bool(args.ratings_key):
    raise InputError('--ratings and --ratings_key belong together: give both, or neither')
  ratings = read_ratings(args.ratings, args.ratings_key, everyone=args.all_listeners) if args.ratings else None
  comparison = read_comparison(args.evaluations, args.names)
  table = summarise(comparison, args.baseline, draws=args.draws, seed=args.seed, infinite=args.frechet_infinite, ratings=ratings)
  try:
    args.out.mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise InputError(f'{args.out}: {e.strerror}; give a folder that can be written') from None
  write_tables(args.out, comparison, table)
  title = args.title or _listed([row.name for row in comparison.models])
  page = write_report_page(args.out, title, comparison, table, write_media(args.out, comparison, args.songs, args.seconds))
  for warning in [*comparison.warnings, *table.warnings]:
    print(f'note: {warning}')
  print(f'songs: {len(comparison.songs)}, models: {len(comparison.models)}; {page}')
  return 0


def _listed(names: list[str]) -> str:
  """As a sentence has them: A, B and C."""
  return ' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))
