"""`mt3-synth train`: a model from gin files."""

import argparse
import dataclasses
import warnings
from contextlib import closing
from functools import partial
from pathlib import Path

import jax
from tqdm import tqdm

from mt3_synth.compilation import cache_compiled_programs
from mt3_synth.config import ModelConfig, from_json, to_json
from mt3_synth.errors import InputError, InputWarning, Stopped
from mt3_synth.gin_files import read_gin
from mt3_synth.interop.loading import load_model
from mt3_synth.models.pretrained import check_shapes, parameter_shapes
from mt3_synth.training.checkpoints import Checkpoints, Saved, read_checkpoint
from mt3_synth.training.config import MODELS, TrainConfig
from mt3_synth.training.distributed import join
from mt3_synth.training.feeding import on_device
from mt3_synth.training.files import write_whole
from mt3_synth.training.guard import Guard
from mt3_synth.training.held_out import HeldOut
from mt3_synth.training.learner import make_learner
from mt3_synth.training.logs import Logs
from mt3_synth.training.metrics import Window
from mt3_synth.training.partitioning import make_mesh, to_mesh
from mt3_synth.training.planning import describe
from mt3_synth.training.profiling import Profiler
from mt3_synth.training.step import TrainState
from mt3_synth.training.stopping import Stopping
from mt3_synth.training.utilisation import Utilisation


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.epilog = (
    'SIGTERM or Ctrl-C: the run is saved after the step it is at, and ends with exit status 75; the same command goes on with it.  '
    'A second one stops at once.'
  )
  parser.add_argument('--gin_file', action='append', default=[], help='a gin file; repeat it to lay one over another')
  parser.add_argument(
    '--gin_binding', action='append', default=[], help='one binding, as in --gin.TRAIN_STEPS=1000 or --gin.MODEL_DIR="\'runs/a\'"'
  )
  parser.add_argument(
    '--dry_run',
    nargs='?',
    type=int,
    const=0,
    metavar='DEVICES',
    help='print the configuration, and what it takes on so many devices (on those here without a number); touches no disk',
  )
  parser.add_argument(
    '--gin_search_paths', default='', metavar='DIR,DIR', help='where gin files are looked for, besides here and in the package'
  )
  parser.add_argument('--coordinator', metavar='HOST:PORT', help='of several processes, where they meet; found under SLURM and on TPU pods')
  parser.add_argument('--num_processes', type=int, help='how many there are')
  parser.add_argument('--process_id', type=int, help='which this one is, from 0')
  parser.add_argument('--profile', metavar='FIRST:LAST', help='record these steps with the profiler, under MODEL_DIR/profile')


def run(args: argparse.Namespace) -> int:
  if not args.gin_file:
    raise InputError('no configuration; give at least one --gin_file, e.g. gin_configs/demo.gin')
  join(args.coordinator, args.num_processes, args.process_id)
  config = read_gin(TrainConfig, args.gin_file, args.gin_binding, [path for path in args.gin_search_paths.split(',') if path])
  if args.dry_run is not None:
    if args.dry_run < 0:
      raise InputError(f'--dry_run is {args.dry_run}, expected a number of devices')
    _check(config)
    print(describe(config, args.dry_run or jax.device_count()))
    return 0
  if args.profile:
    try:
      config = dataclasses.replace(config, profile=tuple(map(int, args.profile.split(':'))))
    except ValueError:
      raise InputError(f'--profile is {args.profile!r}, expected the first and the last step, e.g. 10:15') from None
  train(config)
  return 0


def train(config: TrainConfig) -> TrainState:
  """Trains until `config.total_steps`, from the newest checkpoint under `config.model_dir` if there is one.

  Every batch and every draw is a function of the seed and the step: a run that was interrupted ends as one that was not.

  Raises:
    InputError: something can't be used, or written; `guard.Diverged`: the loss is lost.
    Stopped: a signal asked for it; the run is saved.
  """
  _check(config)
  cache_compiled_programs()
  init_key, train_key, eval_key = jax.random.split(jax.random.key(config.seed), 3)
  learner, held_out = make_learner(config), HeldOut(config, eval_key)
  loader, folder = learner.loader('train'), _claim(config)
  with (
    Stopping() as stopping,
    Profiler(folder, config.profile) as profiler,
    Checkpoints(folder, keep=config.keep, keep_every=config.keep_every, keep_best=config.keep_best) as checkpoints,
    loader.walk() as batches,
  ):
    fresh = learner.init(init_key)
    state, loop = checkpoints.restore(fresh) or _begin(config, fresh)
    batches.set_state(loop['loader'])
    window, guard, utilisation = Window(loop['window']), Guard(config.on_fault, checkpoints), Utilisation()
    step, stop = int(state.step), stopping.asked
    progress = tqdm(total=config.total_steps, initial=step, unit='step', desc=folder.name, disable=jax.process_index() > 0)

    def due(every: int) -> bool:
      return every > 0 and (step % every == 0 or step == config.total_steps)

    with Logs(folder, step) as logs, closing(on_device(batches, partial(to_mesh, mesh=make_mesh(config.mesh)))) as feed, closing(progress):
      while step < config.total_steps and not stop:
        with window.data():
          batch, position = next(feed)
        step, scores = step + 1, {}
        profiler.before(step)
        state, metrics = learner.train_step(state, batch, train_key)
        profiler.after(step, metrics)
        window.add(metrics)
        progress.update()
        if step % config.log_every == 0:
          guard.check(step, window.unread())
          means = window.close(config.batch_size) | learner.rates(step)
          means |= utilisation.of(learner, state, batch, train_key, means['steps_per_second'])
          means |= {'dropped_examples': batches.dropped} if config.too_long == 'drop' else {}
          logs.scalars(step, {f'train/{name}': value for name, value in means.items()})
          progress.set_postfix({name: f'{means[name]:.4g}' for name in ('loss', 'steps_per_second') if name in means})
        if held_out and due(config.eval_every):
          with window.aside():
            scores = held_out.evaluate(learner, state)
          logs.scalars(step, {f'eval/{name}': value for name, value in scores.items()})
        if due(config.examples_every):
          with window.aside():
            logs.examples(step, learner.examples(state))
        stop = stopping.after(step)
        if stop or due(config.save_every):
          guard.check(step, window.unread())
          checkpoints.save(state, {'loader': position, 'window': window.to_json()}, scores.get('loss'))
  if step < config.total_steps:
    saved = f'saved in {folder}' if step else 'with nothing to save yet'
    raise Stopped(f'stopped after step {step} of {config.total_steps}, {saved}; the same command goes on')
  return state


def _check(config: TrainConfig) -> None:
  for names, least in (
    (('total_steps', 'batch_size', 'log_every', 'eval_every', 'save_every', 'keep'), 1),
    (('eval_batches', 'examples_every', 'keep_every', 'keep_best'), 0),
  ):
    for name in names:
      if getattr(config, name) < least:
        raise InputError(f'TrainConfig.{name} is {getattr(config, name)}, expected at least {least}')
  if config.init_from and config.resume_from:
    raise InputError('TrainConfig.init_from and resume_from are both set; the first starts anew, the second goes on: give one')


def _claim(config: TrainConfig) -> Path:
  """Makes the run's folder and writes its configuration; an earlier run of another model is left alone."""
  folder = Path(config.model_dir).expanduser()
  file = folder / 'config.json'
  try:
    folder.mkdir(parents=True, exist_ok=True)
    if file.exists() and _plain(from_json(MODELS, file.read_text(), str(file))) != _plain(config.model):
      raise InputError(f'{folder}: holds a run of another model (config.json differs); give another MODEL_DIR or remove it')
    if jax.process_index() == 0:
      write_whole(file, to_json(config.model))
      write_whole(folder / 'train_config.json', to_json(config))
  except OSError as e:
    raise InputError(f'{folder}: {e.strerror}; give a MODEL_DIR that can be written') from None
  return folder


def _plain(model: MODELS) -> MODELS:
  return model.plain if isinstance(model, ModelConfig) else model


def _begin(config: TrainConfig, fresh: TrainState) -> Saved:
  """What a new run starts with: `fresh`, the parameters of `init_from`, or all of `resume_from`."""
  if config.resume_from:
    return read_checkpoint(config.resume_from, fresh)
  if config.init_from:
    fresh = _with_parameters_of(config.init_from, config.model, fresh)
  return Saved(fresh, {'loader': {'next_batch': 0}, 'window': []})


def _with_parameters_of(source: str, model: MODELS, fresh: TrainState) -> TrainState:
  if not isinstance(model, ModelConfig):
    raise InputError(f'TrainConfig.init_from is {source!r}, but a {type(model).__name__} can not start from a model; use resume_from')
  found = load_model(source)
  check_shapes(parameter_shapes(found.config), parameter_shapes(model), source, 'TrainConfig.model')
  for name in ('mel', 'notes'):
    if getattr(found.config, name) != getattr(model, name):
      warnings.warn(
        f'{source}: its model was trained on other {name} (its config.json differs from TrainConfig.model)', InputWarning, stacklevel=2
      )
  placed = lambda: jax.tree.map(lambda new, old: jax.device_put(new, old.sharding), found.params, fresh.params)
  return dataclasses.replace(fresh, params=placed(), ema=placed())
