"""The training state and the two jitted functions of the loop."""

import functools
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import Mesh

from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import Model
from mt3_synth.training.guard import skipped
from mt3_synth.training.partitioning import activations_on, everywhere, shardings


@struct.dataclass
class TrainState:
  """All that a resumed run needs."""

  step: jax.Array
  params: Any
  ema: Any  # exponential moving average of params: what evaluation and synthesis use
  opt_state: Any


@partial(jax.jit, static_argnames='model')
def new_params(key: jax.Array, *, model: Model) -> Any:
  """Initial parameters, without boxes.  Compiled once for equal models."""
  return nn.meta.unbox(model.init(key))


def new_state(params: Any, tx: optax.GradientTransformation) -> TrainState:
  """The state before the first step.  `params` are in boxes, which tell the optimiser their axes, or without."""
  return nn.meta.unbox(_boxed_state(params, tx))


def _boxed_state(params, tx) -> TrainState:
  return TrainState(jnp.zeros((), jnp.int32), params, jax.tree.map(jnp.copy, params), tx.init(params))


@functools.cache
def layout(model: Model, tx: optax.GradientTransformation, mesh: Mesh) -> TrainState:
  """Where each array of the state lies: what the optimiser keeps of a parameter lies as the parameter does."""
  return shardings(jax.eval_shape(lambda key: _boxed_state(model.init(key), tx), jax.random.key(0)), mesh)


@partial(jax.jit, static_argnames=('model', 'tx', 'mesh'))
def initial_state(key: jax.Array, *, model: Model, tx: optax.GradientTransformation, mesh: Mesh | None = None) -> TrainState:
  """The state of a new run, each array made where it lies.  Compiled once for equal models and optimisers."""
  return _placed(new_state(model.init(key), tx), model, tx, mesh)


def _placed(state, model, tx, mesh) -> TrainState:
  return state if mesh is None else jax.lax.with_sharding_constraint(state, layout(model, tx, mesh))


@partial(jax.jit, static_argnames=('model', 'tx', 'ema_decay', 'microbatches', 'mesh', 'lengths'), donate_argnames='state')
def train_step(
  state: TrainState,
  batch: dict,
  key: jax.Array,
  *,
  model: Model,
  tx,
  ema_decay: float,
  microbatches: int = 1,
  mesh: Mesh | None = None,
  lengths: tuple[int, ...] = (),
) -> tuple[TrainState, dict[str, jax.Array]]:
  """One update -> (state, metrics).

  Every draw derives from `key` and the step number, so a resumed run repeats the uninterrupted one.

  Args:
    state: is used up.
    batch: the arrays of `Crops.crop`, batched; on the mesh's devices where there is a mesh.
    key: of the run.
    model, tx, ema_decay: what is trained, and how.
    microbatches: parts of the batch computed one after another.  The loss is the batch's; each part has draws of its own.
    mesh: where the state lies (`partitioning`); None for one device.
    lengths: what token rows may be cut to; as they are where empty.
  """
  with activations_on(mesh):
    grads, metrics = gradient(state.params, batch, jax.random.fold_in(key, state.step), model, microbatches, lengths)
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))  # young averages forget their start
    ema = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state.ema, params)
    metrics |= {'grad_norm': optax.tree.norm(grads), 'update_norm': optax.tree.norm(updates)}
    metrics |= {'skipped_updates': skipped(state.opt_state, opt_state)}
    # Each state lies where the one before did, so one program serves all steps.
    return _placed(TrainState(state.step + 1, params, ema, opt_state), model, tx, mesh), everywhere(metrics, mesh)


def gradient(
  params: Any, batch: dict, key: jax.Array, model: Model, microbatches: int = 1, lengths: tuple[int, ...] = ()
) -> tuple[Any, dict[str, jax.Array]]:
  """The gradient of a batch's mean loss, and its metrics."""
  if microbatches == 1:
    return _part_gradient(params, to_model_batch(batch, model), key, model, lengths)

  # Rows 0, M, 2 M, ... are the first part, so that no row leaves its device.
  parts = jax.tree.map(lambda x: x.reshape(-1, microbatches, *x.shape[1:]).swapaxes(0, 1), batch)

  def add(total, part):
    number, rows = part
    rows = to_model_batch(rows, model)
    frames = rows['targets_mask'].sum().astype(jnp.float32)
    found = _part_gradient(params, rows, jax.random.fold_in(key, number), model, lengths)
    return jax.tree.map(lambda total, x: total + frames * x, total, (*found, 1.0)), None

  shapes = jax.eval_shape(lambda: _part_gradient(params, to_model_batch(jax.tree.map(lambda x: x[0], parts), model), key, model, ()))
  nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.float32), (*shapes, jnp.zeros(())))
  (grads, metrics, frames), _ = jax.lax.scan(add, nothing, (jnp.arange(microbatches), parts))
  return jax.tree.map(lambda x: x / jnp.maximum(frames, 1), (grads, metrics))


def _part_gradient(params, batch, key, model, lengths) -> tuple[Any, dict[str, jax.Array]]:
  """Of rows that are computed at once, their tokens cut to the length that the longest needs: a branch for each length."""
  conditions = batch['conditions']

  def of(conditions):
    (_, metrics), grads = jax.value_and_grad(model.loss, has_aux=True)(params, batch | {'conditions': conditions}, key)
    return grads, metrics

  if len(lengths) < 2:
    return of(conditions)
  needed = ((conditions.notes > 0) * jnp.arange(1, conditions.notes.shape[1] + 1)).max()
  shorter = [partial(lambda length: of(conditions.cut(length)), length) for length in lengths]
  return jax.lax.switch((needed > jnp.array(lengths[:-1])).sum(), shorter)


@partial(jax.jit, static_argnames=('model', 'mesh'))
def eval_step(params: Any, batch: dict, key: jax.Array, *, model: Model, mesh: Mesh | None = None) -> dict[str, jax.Array]:
  """Metrics of a model in use."""
  with activations_on(mesh):
    return everywhere(model.evaluation_loss(params, to_model_batch(batch, model), key), mesh)
