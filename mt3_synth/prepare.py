"""`mt3-synth prepare`: a corpus as its authors publish it -> a prepared corpus, which training reads.

  mt3-synth prepare maestro --source maestro-v3.0.0 --out data
  mt3-synth prepare slakh2100 --source /net/slakh2100_flac_redux --out /net/data --runner FlinkRunner -- --flink_master=HOST:8081

Songs are cut into pieces and written to data/CORPUS/CONFIG/VERSION as a TFDS dataset.  A song that can't be used is skipped, counted and
listed.  The same command goes on where a stopped one was; the result is the same to the byte.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt3_synth.errors import InputError

if TYPE_CHECKING:
  from data_prep.corpus import Corpus, Skipped
  from data_prep.prepare.folder import Prepared

SOME_SKIPPED = 3  # exit status
_SHOWN = 5  # of the songs skipped for one reason


def add_arguments(parser: argparse.ArgumentParser) -> None:
  from data_prep.prepare.corpora import corpus_names, load_corpus

  corpora = parser.add_subparsers(dest='corpus', metavar='CORPUS', required=True)
  for name in corpus_names():
    corpus = load_corpus(name)
    about = f'{corpus.description} Licence: {corpus.licence}. {corpus.homepage}'.replace('%', '%%')
    _add_corpus_arguments(corpora.add_parser(name, help=corpus.licence, description=about), corpus)


def _add_corpus_arguments(parser: argparse.ArgumentParser, corpus: 'Corpus') -> None:
  first = next(iter(corpus.configs))
  parser.add_argument('--source', required=True, metavar='DIR', help='the corpus, unpacked')
  parser.add_argument('--out', type=Path, required=True, metavar='DIR', help=f'the result is DIR/{corpus.name}/CONFIG/VERSION')
  parser.add_argument('--config', choices=corpus.configs, default=first, help=f'what to make of it (default {first})')
  for name, (default, purpose) in corpus.options.items():
    kind: dict[str, Any] = {'type': type(default), 'metavar': name.upper()}
    if isinstance(default, bool):
      kind = {'action': argparse.BooleanOptionalAction}
    parser.add_argument(f'--{name.replace("_", "-")}', dest=f'option_{name}', default=None, help=f'{purpose} (default {default})', **kind)
  parser.add_argument('--workers', type=int, default=0, metavar='N', help='processes (default: one a core)')
  parser.add_argument('--runner', metavar='RUNNER', help='an Apache Beam runner, in place of processes of this machine')
  parser.add_argument('beam_options', nargs='*', metavar='-- BEAM_OPTIONS', help='options for Beam, after --')
  parser.set_defaults(corpus_options=list(corpus.options))


def run(args: argparse.Namespace) -> int:
  """Prepares a corpus.  Exit status 3 if songs were skipped.

  Raises:
    InputError: nothing could be done: no such folder, no usable song, or no room.
  """
  from data_prep.prepare.corpora import load_corpus
  from data_prep.prepare.job import prepare
  from data_prep.prepare.local import write_locally
  from data_prep.prepare.on_beam import write_on_beam
  from data_prep.prepare.plan import make_plan

  if args.workers < 0:
    raise InputError(f'--workers {args.workers}: expected 1 or more, or 0 for one a core')
  if args.beam_options and not args.runner:
    raise InputError(f'{" ".join(args.beam_options)}: options for Beam need --runner')
  options = {name: value for name in args.corpus_options if (value := getattr(args, f'option_{name}')) is not None}
  plan = make_plan(load_corpus(args.corpus), args.source, args.config, options)
  if args.runner:
    write = partial(write_on_beam, options=[f'--runner={args.runner}', *args.beam_options])
  else:
    write = partial(write_locally, workers=args.workers or os.cpu_count() or 1)
  prepared = prepare(plan, args.out.expanduser(), write)
  _tell(prepared)
  return SOME_SKIPPED if prepared.skipped else 0


def _tell(prepared: 'Prepared') -> None:
  found = f'{prepared.songs} songs, {prepared.seconds / 3600:.2f} hours, {prepared.bytes / 1e9:.2f} GB'
  print(f'{prepared.folder}: {found}{"" if prepared.new else "; nothing was left to do"}')
  for what, songs in (('skipped', _by_reason(prepared.skipped)), ('taken with a remark', {'': [r.message for r in prepared.remarks]})):
    for reason, messages in songs.items():
      if messages:
        print(f'{len(messages)} {what}{f" for {reason}" if reason else ""}:', file=sys.stderr)
        print(*(f'  {message}' for message in messages[:_SHOWN]), sep='\n', file=sys.stderr)
        if len(messages) > _SHOWN:
          print(f'  and {len(messages) - _SHOWN} more: see {prepared.folder}/skipped.json', file=sys.stderr)


def _by_reason(skipped: 'Sequence[Skipped]') -> dict[str, list[str]]:
  counts = Counter(song.reason for song in skipped)
  return {reason: [song.message for song in skipped if song.reason == reason] for reason, _ in counts.most_common()}
