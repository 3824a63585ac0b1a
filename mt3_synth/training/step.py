"""The training state and the two jitted functions of the loop."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct

from mt3_synth.audio.mel import log_mel, scale
from mt3_synth.models.aligned import AlignedNotes
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.context_diffusion import ContextDiffusion


@struct.dataclass
class TrainState:
  """All that a resumed run needs."""

  step: jax.Array
  params: Any
  ema: Any  # exponential moving average of params: what evaluation and synthesis use
  opt_state: Any


@partial(jax.jit, static_argnames='model')
def new_params(key: jax.Array, *, model: ContextDiffusion) -> Any:
  """Initial parameters, without boxes.  Compiled once for equal models."""
  return nn.meta.unbox(model.init(key))


def new_state(params: Any, tx: optax.GradientTransformation) -> TrainState:
  return TrainState(jnp.zeros((), jnp.int32), params, jax.tree.map(jnp.copy, params), tx.init(params))


def to_model_batch(batch: dict[str, Any], model: ContextDiffusion) -> dict[str, Any]:
  """int16 audio crops -> scaled mels, on the device.  Takes the arrays of `Crops.crop`, batched."""
  network, mel = model.config.network, model.config.mel

  def frames(audio, count, valid):
    features = scale(log_mel(audio, mel, frames=count), mel)
    mask = (jnp.arange(count) < valid[:, None]).astype(jnp.int32)
    return jnp.where(mask[..., None] > 0, features, -1), mask

  targets, targets_mask = frames(batch['audio'], network.target_frames, batch['frames'])
  context, context_mask = frames(batch['context_audio'], network.context_frames, batch['context_frames'])
  notes = AlignedNotes(**batch['notes']) if isinstance(batch['notes'], dict) else batch['notes']
  return {'conditions': Conditions(notes, context, context_mask), 'targets': targets, 'targets_mask': targets_mask}


@partial(jax.jit, static_argnames=('model', 'tx', 'ema_decay'), donate_argnames='state')
def train_step(state: TrainState, batch: dict, key: jax.Array, *, model: ContextDiffusion, tx, ema_decay: float):
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
  metrics |= {'grad_norm': optax.tree.norm(grads)}
  return TrainState(state.step + 1, params, ema, opt_state), metrics


@partial(jax.jit, static_argnames='model')
def eval_step(params: Any, batch: dict, key: jax.Array, *, model: ContextDiffusion) -> dict[str, jax.Array]:
  """Metrics without dropout."""
  return model.loss(params, to_model_batch(batch, model), key, deterministic=True)[1]
