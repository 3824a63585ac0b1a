"""Checkpoints of a run: written by Orbax in the background, each whole or absent.

A run's folder: `config.json` (the model's), `train_config.json`, `checkpoints/STEP/{ema,state}`, `metrics.jsonl`, TensorBoard's files.
"""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from mt3_synth.errors import InputError
from mt3_synth.training.step import TrainState


class Checkpoints:
  """The checkpoints under one run's folder; use it in a `with` statement, so that the last save is finished."""

  def __init__(self, model_dir: Path, keep: int):
    options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True)
    self.manager = ocp.CheckpointManager((model_dir / 'checkpoints').absolute(), options=options)

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.manager.close()

  def save(self, state: TrainState) -> None:
    """Starts writing `state` under its step; a step that is there already is not written again."""
    step = int(state.step)
    if step in self.manager.all_steps():
      return
    rest = {'step': state.step, 'params': state.params, 'opt_state': state.opt_state}
    items = ocp.args.Composite(ema=ocp.args.StandardSave(state.ema), state=ocp.args.StandardSave(rest))
    self.manager.save(step, args=items, force=True)

  def restore(self, like: TrainState) -> TrainState | None:
    """The newest whole checkpoint in the shapes of `like`, or None where there is none.

    Raises:
      InputError: it is damaged, or of another optimiser.
    """
    step = self.manager.latest_step()
    if step is None:
      return None
    rest: Any = {'step': like.step, 'params': like.params, 'opt_state': like.opt_state}
    abstract = lambda tree: jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)
    items = ocp.args.Composite(ema=ocp.args.StandardRestore(abstract(like.ema)), state=ocp.args.StandardRestore(abstract(rest)))
    fault = 'damaged or of another optimiser; remove it, or give another MODEL_DIR'
    found = _restored(lambda: self.manager.restore(step, args=items), self.manager.directory / str(step), fault)
    return TrainState(ema=found['ema'], **found['state'])


def _restored(read: Callable[[], Any], path: os.PathLike, fault: str) -> Any:
  """What `read` restores by Orbax from `path`, or an InputError that says `fault` and why."""
  try:
    return read()
  except Exception as e:  # of a missing piece of an array Orbax says no more than Exception
    _hush_orbax()
    reason = ' '.join(str(e).split()).partition('. See full')[0][:150] or type(e).__name__
    raise InputError(f'{path}: {fault} ({reason})') from None


def _hush_orbax() -> None:
  """It reads arrays side by side: each other one that failed would print a traceback when it is collected, whenever that is."""
  show = sys.unraisablehook

  def hook(unraisable):
    if not (inspect.iscoroutine(unraisable.object) and 'orbax' in unraisable.object.cr_code.co_filename):
      show(unraisable)

  sys.unraisablehook = hook
