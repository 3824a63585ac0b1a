"""`mt3-synth train`: a model from gin files."""

import argparse
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from mt3_synth.compilation import cache_compiled_programs
from mt3_synth.config import from_json, to_json
from mt3_synth.errors import InputError
from mt3_synth.gin_files import read_gin
from mt3_synth.training.checkpoints import Checkpoints
from mt3_synth.training.config import MODELS, TrainConfig
from mt3_synth.training.feeding import on_device
from mt3_synth.training.learner import Learner, make_learner
from mt3_synth.training.logs import Logs
from mt3_synth.training.step import TrainState


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('--gin_file', action='append', default=[], help='a gin file; repeat it to lay one over another')
  parser.add_argument(
    '--gin_binding', action='append', default=[], help='one binding, as in --gin.TRAIN_STEPS=1000 or --gin.MODEL_DIR="\'runs/a\'"'
  )


def run(args: argparse.Namespace) -> int:
  if not args.gin_file:
    raise InputError('no configuration; give at least one --gin_file, e.g. gin_configs/demo.gin')
  train(read_gin(TrainConfig, args.gin_file, args.gin_binding))
  return 0


def train(config: TrainConfig) -> TrainState:
  """Trains until `config.total_steps`, from the newest checkpoint under `config.model_dir` if there is one."""
  _check(config)
  cache_compiled_programs()
  learner = make_learner(config)
  loader, held_out_batches = learner.loader('train'), _held_out(learner, config.eval_batches)
  model_dir = Path(config.model_dir).expanduser()
  _claim(model_dir, config)

  init_key, train_key, eval_key = jax.random.split(jax.random.key(config.seed), 3)
  state = learner.init(init_key)
  with (
    Checkpoints(model_dir, config.keep) as checkpoints,
    Logs(model_dir) as logs,
    loader.walk() as batches,
    closing(on_device(batches)) as batches_on_device,
  ):
    state = checkpoints.restore(state) or state
    first = int(state.step)
    batches.set_state({'next_batch': first})
    progress = tqdm(total=config.total_steps, initial=first, unit='step', desc=model_dir.name)
    losses, last = [], time.monotonic()
    for step, batch in zip(range(first + 1, config.total_steps + 1), batches_on_device, strict=False):
      state, metrics = learner.train_step(state, batch, train_key)
      losses.append(metrics['loss'])  # left on the device: reading it each step would make the host wait
      progress.update()
      if step % config.log_every == 0:
        loss = float(np.mean(jax.device_get(losses)))
        speed, losses, last = len(losses) / (time.monotonic() - last), [], time.monotonic()
        scalars = metrics | {'loss': loss, 'steps_per_second': speed} | learner.rates(step)
        scalars |= {'dropped_examples': batches.dropped} if config.too_long == 'drop' else {}
        logs.scalars(step, {f'train/{name}': value for name, value in scalars.items()})
        progress.set_postfix(loss=f'{loss:.4f}', steps_s=f'{speed:.2f}')
      if held_out_batches and (step % config.eval_every == 0 or step == config.total_steps):
        keys = jax.random.split(eval_key, len(held_out_batches))
        evals = [learner.eval_step(state, b, key) for b, key in zip(held_out_batches, keys, strict=True)]
        logs.scalars(step, {f'eval/{name}': np.mean([e[name] for e in evals]) for name in evals[0]})
      if step % config.save_every == 0 or step == config.total_steps:
        checkpoints.save(state)
    progress.close()
  return state


def _check(config: TrainConfig) -> None:
  for name in ('total_steps', 'batch_size', 'log_every', 'eval_every', 'save_every', 'keep'):
    if getattr(config, name) < 1:
      raise InputError(f'TrainConfig.{name} is {getattr(config, name)}, expected at least 1')


def _claim(model_dir: Path, config: TrainConfig) -> None:
  """Makes the run's folder and writes its configuration; an earlier run of another model is left alone."""
  text, file = to_json(config.model), model_dir / 'config.json'
  try:
    model_dir.mkdir(parents=True, exist_ok=True)
    if file.exists() and from_json(MODELS, file.read_text(), str(file)) != config.model:
      raise InputError(f'{model_dir}: holds a run of another model (config.json differs); give another MODEL_DIR or remove it')
    file.write_text(text)
    (model_dir / 'train_config.json').write_text(to_json(config))
  except OSError as e:
    raise InputError(f'{model_dir}: {e.strerror}; give a MODEL_DIR that can be written') from None


def _held_out(learner: Learner, count: int) -> list[dict[str, Any]]:
  """Batches of the validation split, the same ones each time."""
  if not count:
    return []
  loader = learner.loader('validation')
  return [loader.batch(n) for n in range(count)]
