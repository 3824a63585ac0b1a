"""The training state and the two jitted functions of the loop."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct

from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import Model
from mt3_synth.training.guard import skipped


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
  opt_state, params = nn.meta.unbox(tx.init(params)), nn.meta.unbox(params)
  return TrainState(jnp.zeros((), jnp.int32), params, jax.tree.map(jnp.copy, params), opt_state)


@partial(jax.jit, static_argnames=('model', 'tx'))
def initial_state(key: jax.Array, *, model: Model, tx: optax.GradientTransformation) -> TrainState:
  """The state of a new run.  Compiled once for equal models and optimisers."""
  return new_state(model.init(key), tx)


@partial(jax.jit, static_argnames=('model', 'tx', 'ema_decay'), donate_argnames='state')
def train_step(state: TrainState, batch: dict, key: jax.Array, *, model: Model, tx, ema_decay: float):
  """One update -> (state, metrics).

  Every draw derives from `key` and the step number, so a resumed run repeats the uninterrupted one.
  """
  key = jax.random.fold_in(key, state.step)
  batch = to_model_batch(batch, model)
  (_, metrics), grads = jax.value_and_grad(model.loss, has_aux=True)(state.params, batch, key)
  updates, opt_state = tx.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))  # young averages forget their start
  ema = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state.ema, params)
  metrics |= {'grad_norm': optax.tree.norm(grads), 'update_norm': optax.tree.norm(updates)}
  metrics |= {'skipped_updates': skipped(state.opt_state, opt_state)}
  return TrainState(state.step + 1, params, ema, opt_state), metrics


@partial(jax.jit, static_argnames='model')
def eval_step(params: Any, batch: dict, key: jax.Array, *, model: Model) -> dict[str, jax.Array]:
  """Metrics of a model in use."""
  return model.evaluation_loss(params, to_model_batch(batch, model), key)
