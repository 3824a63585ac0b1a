"""`mt3-synth evaluate`: a model plays the songs of a corpus from their notes; how near that comes to their recordings.

  mt3-synth evaluate --checkpoint runs/mine --corpus embedded --split test --out evaluations/mine
  mt3-synth evaluate --checkpoint /net/run --corpus /net/data/maestro --out /net/evaluation --runner FlinkRunner -- --flink_master=HOST:8081

Beside the model stands the ceiling: the recording, made a spectrogram and inverted.  A song that can't be measured is listed with its
reason, and the others go on.  The same command goes on where a stopped one was.
"""

import argparse
import dataclasses
import datetime
import hashlib
import importlib.metadata
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from tqdm import tqdm

from mt3_synth.config import ModelConfig
from mt3_synth.data.songs import SPLITS
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.evaluation import records
from mt3_synth.evaluation.embedders import choose_embedder
from mt3_synth.evaluation.held_out import table
from mt3_synth.evaluation.job import Evaluator, Settings
from mt3_synth.evaluation.metric_keys import describe
from mt3_synth.evaluation.pooled import pool
from mt3_synth.evaluation.records import METRIC_VERSION, Evaluation
from mt3_synth.evaluation.transcribers import Transcriber, choose_transcriber
from mt3_synth.evaluation.transcribing import transcribe_songs
from mt3_synth.pipeline import BATCH_SIZE

Found = TypeVar('Found')
SOME_FAILED = 3  # exit status
_SHOWN = 5  # of the songs that failed


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('--checkpoint', help='as for `mt3-synth synthesize`; the demonstration model if not given')
  parser.add_argument('--corpus', required=True, help='embedded, a prepared corpus, or a folder of `mt3-synth render`')
  parser.add_argument('--split', default='test', choices=SPLITS, help='(default test)')
  parser.add_argument('--data_dir', default='', help='where prepared corpora lie')
  parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='the folder to write')
  parser.add_argument('--name', help="for tables (the checkpoint's, if not given)")
  songs = parser.add_argument_group('which songs')
  songs.add_argument('--songs', nargs='+', metavar='ID', help='only these')
  songs.add_argument('--max_songs', type=int, metavar='N', help='only the first N')
  songs.add_argument('--max_seconds', type=float, metavar='S', help='only the first S seconds of each')
  playing = parser.add_argument_group('how they are played')
  playing.add_argument(
    '--context',
    choices=['predicted', 'ground_truth', 'masked'],
    default='predicted',
    help='what each segment hears before it: what the model played, the recording, or nothing (default predicted)',
  )
  playing.add_argument('--steps', type=int, help="sampling steps a segment (the model's own if not given)")
  playing.add_argument('--sampler', choices=['ddpm', 'ddim', 'dpmpp_2m', 'dpmpp_2m_sde'], help="(the model's own if not given)")
  playing.add_argument('--guidance', type=float, help='how strictly to follow the notes')
  playing.add_argument('--inverter', help='as for `mt3-synth synthesize`')
  playing.add_argument('--seed', type=int, default=0, help='(default 0)')
  playing.add_argument('--batch_size', type=int, default=BATCH_SIZE, help=f'songs played side by side (default {BATCH_SIZE})')
  playing.add_argument('--device', help="cpu, gpu, cuda or tpu (JAX's own choice if not given)")
  measures = parser.add_argument_group('what is measured and kept')
  measures.add_argument(
    '--embedder',
    action='append',
    metavar='NAME[=WHERE]',
    help='logmel_stats (the default), vggish=FOLDER, trill=FOLDER, NAME=MODULE:OBJECT, or one that a package registered; repeat',
  )
  measures.add_argument(
    '--transcriber',
    action='append',
    metavar='NAME[=COMMAND]',
    help='basic_pitch (needs uv), or NAME=COMMAND, a command with {inputs}, WAV files, and {outputs}, the folder for MIDI files; repeat',
  )
  measures.add_argument('--per_minute', action='store_true', help='also measure each minute alone')
  measures.add_argument('--frechet_infinite', action='store_true', help='also Fréchet distances as of endless sets')
  measures.add_argument('--no_audio', action='store_true', help='keep no sounds')
  parser.add_argument('--runner', metavar='RUNNER', help='an Apache Beam runner, in place of this process')
  parser.add_argument('beam_options', nargs='*', metavar='-- BEAM_OPTIONS', help='options for Beam, after --')


def run(args: argparse.Namespace) -> int:
  """Evaluates a model.  Exit status 3 if songs failed.

  Raises:
    InputError: nothing could be done, or the folder holds another evaluation.
  """
  settings, out = _settings(args), args.out.expanduser()
  transcribers, missing = _there_are(choose_transcriber, args.transcriber or [])
  if transcribers and args.no_audio:
    raise InputError('--transcriber hears the sounds that --no_audio does not keep; leave one of them out')
  embedders, missing_too = _there_are(choose_embedder, settings.embedders)
  settings = dataclasses.replace(settings, embedders=tuple(embedders))
  evaluator = Evaluator(settings, out)
  evaluation = _evaluation(args, settings, evaluator, list(transcribers.values()))
  _claim(out, evaluation)
  todo = [song for song in evaluation.songs if not _is_done(out, song)]
  if args.runner:
    _on_beam(args, settings, todo, list(transcribers.values()))
  else:
    done = len(evaluation.songs) - len(todo)
    with tqdm(total=len(evaluation.songs), initial=done, unit='song', desc=evaluation.name, disable=None) as bar:
      for _ in evaluator.evaluate(todo):
        bar.update()
  failed = _transcribe(out, evaluation, list(transcribers.values()))
  results = records.read_songs(out, evaluation)
  pooled = pool(out, results, list(evaluation.embedders), args.frechet_infinite)
  records.write_pooled(out, pooled)
  _tell(out, pooled, results)
  return SOME_FAILED if pooled['failed'] or failed or missing or missing_too else 0


def _on_beam(args: argparse.Namespace, settings: Settings, songs: Sequence[str], transcribers: Sequence[Transcriber]) -> None:
  try:
    from mt3_synth.evaluation.on_beam import evaluate_on_beam
  except ImportError:
    raise InputError('--runner: Apache Beam is not installed; run: pip install mt3_synth[data]') from None
  evaluate_on_beam(settings, args.out.expanduser(), songs, transcribers, [f'--runner={args.runner}', *args.beam_options])


def _there_are(choose: Callable[[str], Found], specs: Sequence[str]) -> tuple[dict[str, Found], bool]:
  """What was found by what was asked for, and whether something is missing: it is told, and all else goes on."""
  found, wanted = {}, dict.fromkeys(specs)
  for spec in wanted:
    try:
      found[spec] = choose(spec)
    except InputError as e:
      warnings.warn(f'{e}; all else goes on without it', InputWarning, stacklevel=2)
  return found, len(found) < len(wanted)


def _transcribe(out: Path, evaluation: Evaluation, transcribers: Sequence[Transcriber]) -> int:
  if not transcribers:
    return 0
  with tqdm(total=len(evaluation.songs) * len(transcribers), unit='song', desc='transcribing', disable=None) as bar:
    return transcribe_songs(out, evaluation.songs, transcribers, bar.update)


def _settings(args: argparse.Namespace) -> Settings:
  for name in ('max_songs', 'max_seconds', 'batch_size'):
    value = getattr(args, name)
    if value is not None and not value > 0:
      raise InputError(f'--{name} is {value}, expected more than 0')
  if args.beam_options and not args.runner:
    raise InputError(f'{" ".join(args.beam_options)}: options for Beam need --runner')
  if not 0 <= args.seed < 2**32:
    raise InputError(f'--seed is {args.seed}, expected 0 to {2**32 - 1}')
  sampler = {'steps': args.steps, 'name': args.sampler, 'guidance': args.guidance}
  return Settings(
    checkpoint=args.checkpoint,
    corpus=args.corpus,
    split=args.split,
    data_dir=args.data_dir,
    inverter=args.inverter,
    device=args.device,
    context=args.context,
    sampler=tuple((name, value) for name, value in sampler.items() if value is not None),
    seed=args.seed,
    batch_size=args.batch_size,
    embedders=tuple(args.embedder or ['logmel_stats']),
    per_minute=args.per_minute,
    audio=not args.no_audio,
    max_seconds=args.max_seconds,
  )


def _evaluation(args: argparse.Namespace, settings: Settings, evaluator: Evaluator, transcribers: Sequence[Transcriber]) -> Evaluation:
  names = [embedder.name for embedder in evaluator.embedders]
  if len(set(names)) < len(names):
    raise InputError(f'--embedder: {", ".join(names)} name one twice; give each a name of its own, NAME=MODULE:OBJECT')
  config, device = evaluator.pipeline.config, evaluator.pipeline.device or jax.devices()[0]
  return Evaluation(
    name=args.name or (Path(settings.checkpoint).name if settings.checkpoint else 'demo'),
    checkpoint=settings.checkpoint or 'demo',
    corpus=settings.corpus,
    split=settings.split,
    context=settings.context,
    sampler=dataclasses.asdict(evaluator.sampling),
    inverter=settings.inverter or type(evaluator.pipeline.inverter).__name__,
    seed=settings.seed,
    config=_as_json(config),
    embedders={embedder.name: embedder.hash for embedder in evaluator.embedders},
    transcribers={transcriber.name: transcriber.command for transcriber in transcribers},
    songs=_chosen(args, evaluator.songs.ids),
    metric_version=METRIC_VERSION,
    code_version=importlib.metadata.version('mt3_synth'),
    device=f'{device.device_kind} ({device.platform})',
    created=datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
    settings={
      'parameters': _hash(evaluator.pipeline.params),
      'batch_size': settings.batch_size,
      'max_seconds': settings.max_seconds,
      'per_minute': settings.per_minute,
      'audio': settings.audio,
    },
  )


def _as_json(config: ModelConfig) -> dict[str, Any]:
  return dataclasses.asdict(config)


def _hash(params: Any) -> str:
  digest = hashlib.sha256()
  for path, x in sorted((jax.tree_util.keystr(path), x) for path, x in jax.tree_util.tree_leaves_with_path(params)):
    digest.update(path.encode() + np.asarray(x).tobytes())
  return digest.hexdigest()[:16]


def _chosen(args: argparse.Namespace, ids: Sequence[str]) -> tuple[str, ...]:
  unknown = sorted(set(args.songs or []) - set(ids))
  if unknown:
    some = ', '.join(ids[:3])
    raise InputError(f'--songs {unknown[0]}: no such song in {args.corpus}, {args.split}; they are called, for example, {some}')
  return tuple(song for song in ids if not args.songs or song in args.songs)[: args.max_songs]


_MAY_DIFFER = {'name', 'device', 'created', 'code_version', 'songs', 'transcribers'}  # between the runs that make one evaluation


def _claim(out: Path, evaluation: Evaluation) -> None:
  """Writes what is evaluated, or makes sure that an earlier run did the same; more songs may be asked for than it had.

  Raises:
    InputError: the folder holds another evaluation, or something else.
  """
  if (out / records.EVALUATION).exists():
    found = dataclasses.asdict(records.read_evaluation(out))
    wanted = dataclasses.asdict(evaluation)
    found['settings']['batch_size'] = wanted['settings']['batch_size']  # changes nothing but time
    differing = [name for name in wanted if name not in _MAY_DIFFER and _plain(found[name]) != _plain(wanted[name])]
    if differing:
      name = differing[0]
      told = f': {found[name]}, now {wanted[name]}' if not isinstance(found[name], dict) else _first_difference(found[name], wanted[name])
      raise InputError(f'{out}: holds another evaluation ({name}{told}); give the same options, or choose another --out')
  elif out.is_dir() and any(not path.name.startswith('.') for path in out.iterdir()):
    raise InputError(f'{out}: is not empty, and no evaluation; choose another --out')
  records.write_evaluation(out, evaluation)


def _plain(value: Any) -> Any:
  """As JSON gives it back."""
  if isinstance(value, dict):
    return {key: _plain(each) for key, each in value.items()}
  return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _first_difference(found: dict, wanted: dict) -> str:
  found, wanted = _plain(found), _plain(wanted)
  key = next(key for key in {**found, **wanted} if found.get(key) != wanted.get(key))
  if isinstance(found.get(key), dict) and isinstance(wanted.get(key), dict):
    return f'.{key}{_first_difference(found[key], wanted[key])}'
  return f'.{key}: {found.get(key, "none")}, now {wanted.get(key, "none")}'


def _is_done(out: Path, song: str) -> bool:
  result = records.read_song(out, song)
  return result is not None and result.status == 'ok'


def _tell(out: Path, pooled: dict[str, Any], results: Sequence[records.SongResult]) -> None:
  names = {'prediction': 'model', 'ceiling': 'ground truth, inverted', 'target': 'ground truth'}
  systems = {label: pooled['systems'][name] for name, label in names.items()}
  keys = dict.fromkeys(key for values in systems.values() for key in values)
  if pooled['songs']:
    rows = []
    for key in keys:
      metric = describe(key)
      label = f'{metric.label} [{metric.unit}]' if metric.unit else metric.label
      found = {name: values.get(key, float('nan')) for name, values in systems.items()}
      rows.append({'': label} | {name: '–' if np.isnan(value) else value for name, value in found.items()})
    print(f'{table(rows)}\n')
  few = lambda each: ', fewer than its dimensions' if each['few'] else ''
  windows = ''.join(f'; {each["n"]} windows of {name}{few(each)}' for name, each in pooled['windows'].items())
  speed = ', '.join(f'{part} {1 / seconds:.1f}' for part, seconds in pooled['speed'].items() if seconds)
  print(f'{out}: {pooled["songs"]} songs, {pooled["seconds"]:.0f} s{windows}; times real time: {speed or "-"}')
  failed = [result for result in results if result.status == 'failed']
  warned = [f'{result.song}: {warning}' for result in results for warning in result.warnings]
  for what, messages in (('failed', [f'{result.song}: {result.error}' for result in failed]), ('with a remark', warned)):
    if messages:
      print(f'{len(messages)} {what}:', *(f'  {message}' for message in messages[:_SHOWN]), sep='\n', file=sys.stderr)
      if len(messages) > _SHOWN:
        print(f'  and {len(messages) - _SHOWN} more: see {out / "songs"}', file=sys.stderr)
