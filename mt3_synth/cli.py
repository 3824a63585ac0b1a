"""`mt3-synth VERB ...`: each verb is a module of this package with `add_arguments(parser)` and `run(args) -> exit status`."""

import argparse
import importlib
import os
import re
import sys
import warnings

from mt3_synth.errors import InputError, InputWarning, Stopped

VERBS = {
  'synthesize': 'play a MIDI file as audio',
  'prepare': 'turn a published corpus into one that training reads',
  'train': 'train a model from gin files',
  'sweep': 'train and evaluate a table of models, and report how they compare',
  'evaluate': 'play the songs of a corpus with a model and measure how near that comes to their recordings',
  'export': "a training run's parameters as a small model folder, or as one for diffusers",
  'import': 'a published checkpoint, of T5X or diffusers, as a model folder',
  'demo': 'train a tiny model, play held-out pieces, write a page to look at and listen to',
  'inspect': 'what is in a prepared corpus: hours, notes, instruments, and whether notes and sound agree',
  'listen': 'a blind listening test of a report, as a page to give to listeners',
  'report': 'evaluations side by side: tables with intervals, and a page to look at and listen to',
  'render': 'turn a folder of MIDI files into a corpus, with FluidSynth',
}
MODULES = {'import': 'import_checkpoint'}  # where a verb can't be a module's name


def main(argv: list[str] | None = None) -> int:
  """Runs one verb.  Exit status: 0 done, 2 unusable input, 75 stopped but saved, 130 interrupted, else what the verb returns."""
  argv = [re.sub(r'^--gin\.', '--gin_binding=', word) for word in (sys.argv[1:] if argv is None else argv)]
  parser = argparse.ArgumentParser(
    prog='mt3-synth',
    description='Plays notes as audio, and trains the models that do.',
    epilog='mt3-synth VERB --help explains one verb.',
  )
  verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
  chosen = next((word for word in argv if not word.startswith('-')), None)
  for name, purpose in VERBS.items():
    verb = verbs.add_parser(name, help=purpose, description=purpose)
    if name == chosen:  # the other verbs' modules load jax: not for a help page
      module = importlib.import_module(f'mt3_synth.{MODULES.get(name, name)}')
      module.add_arguments(verb)
      verb.set_defaults(run_verb=module.run)
  args = parser.parse_args(argv)
  warnings.showwarning = _show_warning
  try:
    return args.run_verb(args) or 0
  except InputError as e:
    print(f'mt3-synth {args.verb}: error: {e}', file=sys.stderr)
    return 2
  except Stopped as e:
    print(f'mt3-synth {args.verb}: {e}', file=sys.stderr)
    return os.EX_TEMPFAIL
  except KeyboardInterrupt:
    print(f'\nmt3-synth {args.verb}: interrupted', file=sys.stderr)
    return 130


_plain_showwarning = warnings.showwarning


def _show_warning(message, category, filename, lineno, file=None, line=None):
  if issubclass(category, InputWarning):
    from tqdm import tqdm  # not for a help page

    tqdm.write(f'mt3-synth: warning: {message}', file=sys.stderr)  # on a line of its own, above a progress bar
  else:
    _plain_showwarning(message, category, filename, lineno, file, line)


if __name__ == '__main__':
  sys.exit(main())
