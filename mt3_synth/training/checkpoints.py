"""Checkpoints of a run: written by Orbax in the background, each whole or absent.

A run's folder: `config.json` (the model's), `train_config.json`, `checkpoints/STEP/{ema,state,loop}`, `metrics.jsonl`, TensorBoard's files.
"""

import inspect
import logging
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy as policies

from mt3_synth.errors import InputError, InputWarning
from mt3_synth.training.step import TrainState

FOLDER = 'checkpoints'
_HELD_OUT_LOSS = 'loss'


class Saved(NamedTuple):
  """What a checkpoint holds."""

  state: TrainState
  loop: dict[str, Any]  # what the loop itself needs to go on, JSON


class Checkpoints:
  """The checkpoints under one run's folder; use it in a `with` statement, so that the last save is finished."""

  def __init__(self, model_dir: Path, *, keep: int, keep_every: int = 0, keep_best: int = 0):
    """Opens the folder, and removes what an interrupted save has left.

    Args:
      model_dir: the run's folder.
      keep: so many of the newest are kept;
      keep_every: those of steps that are multiples of it too, where it is not 0;
      keep_best: so many of lowest held-out loss too.
    """
    goodness = lambda metrics: -metrics[_HELD_OUT_LOSS]
    kept: list[policies.PreservationPolicy] = [policies.LatestN(keep)]
    kept += [policies.EveryNSteps(keep_every)] if keep_every else []
    kept += [policies.BestN(get_metric_fn=goodness, n=keep_best, keep_checkpoints_without_metrics=False)] if keep_best else []
    options = ocp.CheckpointManagerOptions(
      preservation_policy=policies.AnyPreservationPolicy(kept),
      best_fn=goodness,  # without one, metrics are not written
      enable_async_checkpointing=True,
      cleanup_tmp_directories=True,
    )
    self.manager = ocp.CheckpointManager((model_dir / FOLDER).absolute(), options=options)

  def __enter__(self):
    return self

  def __exit__(self, kind, *_):
    try:
      self._guarded(self.manager.close)
    except InputError:
      if kind is None:  # else there is a fault already, which this one would hide
        raise

  def newest(self) -> Path | None:
    """The newest whole checkpoint, None before there is one; waits for one that is being written."""
    self._guarded(self.manager.wait_until_finished)
    step = self.manager.latest_step()
    return None if step is None else Path(self.manager.directory) / str(step)

  def save(self, state: TrainState, loop: dict[str, Any], held_out_loss: float | None = None) -> None:
    """Starts writing a checkpoint under its step; a step that is there already is not written again.

    Args:
      state: copied before this returns.
      loop: JSON, see `Saved`.
      held_out_loss: at this very step, if it was measured.

    Raises:
      InputError: this save or the one before it could not be written, e.g. because the disk is full.  What was saved earlier stays.
    """
    step = int(state.step)
    if step in self.manager.all_steps():
      return
    rest = {'step': state.step, 'params': state.params, 'opt_state': state.opt_state}
    items = ocp.args.Composite(ema=ocp.args.StandardSave(state.ema), state=ocp.args.StandardSave(rest), loop=ocp.args.JsonSave(loop))
    metrics = None if held_out_loss is None else {_HELD_OUT_LOSS: held_out_loss}
    self._guarded(lambda: self.manager.save(step, args=items, metrics=metrics, force=True))

  def restore(self, like: TrainState) -> Saved | None:
    """The newest whole checkpoint, or None where there is none.

    One that is damaged is moved aside, with a warning, and the one before it is taken.

    Args:
      like: gives the shapes and shardings.  Its arrays are given up if there is a checkpoint, so that memory holds one state and not two.

    Raises:
      InputError: all are damaged, or the newest is of another optimiser or model.
    """
    steps = sorted(self.manager.all_steps(), reverse=True)
    shapes = _given_up(like) if steps else like
    for step in steps:
      try:
        return _read(self.manager, step, shapes)
      except _Damaged as damage:
        path = Path(self.manager.directory) / str(step)
        if step == steps[-1]:
          raise InputError(f'{path}: damaged ({damage}), and none before it is whole; remove it, or give another MODEL_DIR') from None
        aside = path.parent.parent / 'damaged' / str(step)
        warnings.warn(f'{path}: damaged ({damage}); moved to {aside}, and the one before it is taken', InputWarning, stacklevel=2)
        if jax.process_index() == 0:
          aside.parent.mkdir(exist_ok=True)
          shutil.rmtree(aside, ignore_errors=True)
          path.rename(aside)
        self.manager.reload()
    return None

  def _guarded(self, write: Callable[[], Any]) -> None:
    """Calls what writes, or waits for what is being written; a failure becomes one line."""
    try:
      with _quiet():
        write()
    except Exception as e:  # as many kinds as there are parts of Orbax
      _hush_orbax()
      if jax.process_index() == 0:
        for part in Path(self.manager.directory).glob('*.orbax-checkpoint-tmp'):
          shutil.rmtree(part, ignore_errors=True)  # it would fill the disk
      whole = self.manager.all_steps(read=True)
      kept = f'the checkpoint of step {max(whole)} is whole' if whole else 'there is none from before it'
      raise InputError(
        f'{self.manager.directory}: a checkpoint could not be written ({_reason(e)}); {kept}: free space, and give the same command'
      ) from None


def read_checkpoint(source: str, like: TrainState) -> Saved:
  """A checkpoint of another run, which is left as it is.

  Args:
    source: the run's folder, for its newest, or checkpoints/STEP in it.
    like: as for `Checkpoints.restore`.

  Raises:
    InputError: there is none, or it is damaged, or of another optimiser or model.
  """
  path = Path(source).expanduser().absolute()
  folder = path.parent if path.name.isdigit() else path / FOLDER
  if not folder.is_dir():
    raise InputError(f'{source}: no such checkpoint; expected the folder of a run, or checkpoints/STEP in it')
  with _quiet(), ocp.CheckpointManager(folder, options=ocp.CheckpointManagerOptions(read_only=True)) as manager:
    step = int(path.name) if path.name.isdigit() else manager.latest_step()
    if step is None or step not in manager.all_steps():
      there = ', '.join(map(str, manager.all_steps())) or 'none'
      raise InputError(f'{source}: no such checkpoint; {folder} has {there}')
    try:
      return _read(manager, step, _given_up(like))
    except _Damaged as damage:
      raise InputError(f'{folder / str(step)}: damaged ({damage}); give another checkpoint') from None


def _given_up(state: TrainState) -> TrainState:
  """The shapes and shardings of a state, whose arrays are freed."""
  shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
  jax.tree.map(lambda x: x.delete(), state)
  return shapes


def _read(manager: ocp.CheckpointManager, step: int, like: TrainState) -> Saved:
  rest: Any = {'step': like.step, 'params': like.params, 'opt_state': like.opt_state}
  items = ocp.args.Composite(ema=ocp.args.StandardRestore(like.ema), state=ocp.args.StandardRestore(rest), loop=ocp.args.JsonRestore())
  try:
    found = manager.restore(step, args=items)
  except Exception as e:  # of a missing piece of an array Orbax says no more than Exception
    _hush_orbax()
    path, reason = Path(manager.directory) / str(step), _reason(e)
    if _is_of_another_kind(manager, step, rest):
      raise InputError(f'{path}: of another optimiser or model; remove it, or give another MODEL_DIR ({reason})') from None
    raise _Damaged(reason) from None
  return Saved(TrainState(ema=found['ema'], **found['state']), found['loop'])


def _is_of_another_kind(manager: ocp.CheckpointManager, step: int, like: Any) -> bool:
  """Whether what a checkpoint says of itself can be read, and is not `like`."""
  try:
    found = jax.tree.leaves(manager.item_metadata(step)['state'])
    return sorted(tuple(x.shape) for x in found) != sorted(tuple(x.shape) for x in jax.tree.leaves(like))
  except Exception:
    return False


class _Damaged(Exception):
  """A checkpoint can't be read; says why."""


def _reason(error: Exception) -> str:
  """One short line of what Orbax and its parts say in pages."""
  text = ' '.join(str(error).split())
  system = re.search(r"([\w ]+) \[os_error_code=|\[Errno \d+\] ([^:']*)", text)
  return (next(filter(None, system.groups())).strip() if system else text.partition('. See full')[0][:150]) or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
  """Orbax logs what it does of its own, and tracebacks."""
  log = logging.getLogger('absl')
  level = log.level
  log.setLevel(logging.CRITICAL)
  try:
    yield
  finally:
    log.setLevel(level)


def _hush_orbax() -> None:
  """It reads arrays side by side: each other one that failed would print a traceback when it is collected, whenever that is."""
  show = sys.unraisablehook

  def hook(unraisable):
    if not (inspect.iscoroutine(unraisable.object) and 'orbax' in unraisable.object.cr_code.co_filename):
      show(unraisable)

  sys.unraisablehook = hook
