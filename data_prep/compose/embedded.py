"""The corpus that ships with the package: `python -m data_prep.compose.embedded --soundfont FILE --out DIR`.

Composed here and played with FluidR3 GM, it is remade sample for sample by the FluidSynth that its metadata names.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from data_prep.compose.draw import Draw
from data_prep.compose.piece import compose_within
from mt3_synth import render
from mt3_synth.errors import InputError

_SECONDS = (18.0, 27.0)
_LOUDNESS = -24.0  # dBFS; quieter than other corpora, for what it saves in size


@dataclass(frozen=True)
class Piece:
  ensemble: str
  theme: str = ''
  split: str = 'train'
  take: int = 0  # of several by the same players, the one where all of them play


# What is held out is played by instruments that are heard in training.
PIECES = (
  Piece('solo piano', take=3),
  Piece('solo piano', 'Minuet in G (Petzold)'),
  Piece('solo guitar'),
  Piece('string quartet'),
  Piece('string quartet', take=1),
  Piece('wind quintet', take=2),
  Piece('brass quintet'),
  Piece('rock band', take=3),
  Piece('pop band', take=5),
  Piece('sax and trio', take=3),
  Piece('latin band', take=2),
  Piece('baroque group', take=4),
  Piece('mallets'),
  Piece('choir and organ'),
  Piece('synthesizers', take=4),
  Piece('flute and harp', 'Swan Lake (Tchaikovsky)'),
  Piece('orchestra', take=4),
  Piece('solo piano', split='validation', take=4),
  Piece('wind quintet', split='validation', take=1),
  Piece('solo piano', 'Ah vous dirai-je, maman', 'test', take=1),
  Piece('string quartet', split='test', take=5),
  Piece('rock band', split='test', take=1),
)


def file_name(number: int) -> str:
  """The MIDI file of piece `number`."""
  piece = PIECES[number]
  return f'{number + 1:02d}_{piece.ensemble.replace(" ", "_")}.mid'


def midi(number: int) -> bytes:
  """The MIDI file's bytes."""
  piece = PIECES[number]
  draw = Draw(f'embedded/{piece.ensemble}/{piece.theme}/{piece.take}')
  return compose_within(draw, _SECONDS, piece.ensemble, piece.theme).midi()


def write_midi(folder: Path) -> None:
  for number in range(len(PIECES)):
    (folder / file_name(number)).write_bytes(midi(number))


def build(soundfont: Path, out: Path, jobs: int = 0) -> int:
  """Composes and renders the corpus; the exit status of `mt3-synth render`.

  Raises:
    InputError: as `mt3-synth render` does.
  """
  with tempfile.TemporaryDirectory() as folder:
    write_midi(Path(folder))
    return render_corpus(Path(folder), soundfont, out, jobs)


def render_corpus(folder: Path, soundfont: Path, out: Path, jobs: int = 0) -> int:
  """Renders those pieces that are in `folder` as the corpus has them; the exit status of `mt3-synth render`."""
  parser = argparse.ArgumentParser()
  render.add_arguments(parser)
  words = [str(folder), '--soundfont', str(soundfont), '--out', str(out), '--no-stems', '--split', '1,0,0', '--jobs', str(jobs)]
  words += ['--loudness', str(_LOUDNESS)]
  for number, piece in enumerate(PIECES):
    if piece.split != 'train' and (folder / file_name(number)).exists():
      words += [f'--{piece.split}', file_name(number)]
  return render.run(parser.parse_args(words))


def main(argv: list[str] | None = None) -> int:
  parser = argparse.ArgumentParser(prog='python -m data_prep.compose.embedded', description=__doc__)
  parser.add_argument('--soundfont', type=Path, required=True, metavar='FILE', help='FluidR3_GM.sf2')
  parser.add_argument('--out', type=Path, required=True, metavar='DIR')
  parser.add_argument('--jobs', type=int, default=0, metavar='N', help='processes (default: one a core)')
  args = parser.parse_args(argv)
  try:
    return build(args.soundfont, args.out, args.jobs)
  except InputError as e:
    print(f'embedded: error: {e}', file=sys.stderr)
    return 2


if __name__ == '__main__':
  sys.exit(main())
