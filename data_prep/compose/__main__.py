"""`python -m data_prep.compose --out DIR --pieces N --seed S`: writes N MIDI files, the same bytes each time."""

import argparse
import sys
from pathlib import Path

from data_prep.compose.draw import Draw
from data_prep.compose.ensembles import ENSEMBLES
from data_prep.compose.etude import compose_etude
from data_prep.compose.piece import compose_within
from data_prep.compose.score import Score
from mt3_synth.errors import InputError

STYLES = ('mixed', 'music', 'etude')
_THEMES = 6  # every sixth piece of music is on a theme


def compose_series(number: int, seed: int, style: str, seconds: tuple[float, float]) -> tuple[str, Score]:
  """Piece `number` of a series: its file name and score.

  Args:
    number: from 0.
    seed: of the whole series.
    style: 'music' goes through all ensembles in a drawn order, 'etude' through all programs, 'mixed' alternates.
    seconds: shortest and longest.
  """
  draw = Draw(f'{seed}')
  if style == 'etude' or style == 'mixed' and number % 2:
    index = number // 2 if style == 'mixed' else number
    return f'etude_{number:04d}', compose_etude(draw, index, seconds)
  index = number // 2 if style == 'mixed' else number
  rounds, place = divmod(index, len(ENSEMBLES))
  ensemble = draw.child(('ensembles', rounds)).shuffled(ENSEMBLES)[place].name
  score = compose_within(draw.child(('piece', index)), seconds, ensemble, 'any' if index % _THEMES == 5 else '')
  return f'{ensemble.replace(" ", "_")}_{number:04d}', score


def main(argv: list[str] | None = None) -> int:
  parser = argparse.ArgumentParser(prog='python -m data_prep.compose', description=__doc__)
  parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for the MIDI files')
  parser.add_argument('--pieces', type=int, required=True, metavar='N')
  parser.add_argument('--seed', type=int, default=0, metavar='S')
  parser.add_argument('--style', choices=STYLES, default='mixed', help='mixed: music and etudes by turns (default)')
  parser.add_argument(
    '--seconds', type=float, nargs=2, default=(40, 120), metavar=('LOW', 'HIGH'), help='length of a piece (default 40 120)'
  )
  args = parser.parse_args(argv)
  try:
    low, high = args.seconds
    if args.pieces < 1 or not 15 <= low < high - 10:
      raise InputError(f'--pieces {args.pieces} --seconds {low} {high}: expected 1 or more, and 15 <= LOW < HIGH - 10')
    total = 0.0
    try:
      args.out.mkdir(parents=True, exist_ok=True)
      for number in range(args.pieces):
        name, score = compose_series(number, args.seed, args.style, (low, high))
        (args.out / f'{name}.mid').write_bytes(score.midi())
        total += score.seconds
    except OSError as e:
      raise InputError(f'{args.out}: cannot be written ({e.strerror or e})') from None
  except InputError as e:
    print(f'compose: error: {e}', file=sys.stderr)
    return 2
  print(f'{args.out}: {args.pieces} pieces, {total / 60:.1f} minutes')
  return 0


if __name__ == '__main__':
  sys.exit(main())
