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
from mt3_synth.models.model import Model


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
  return TrainState(jnp.zeros((), jnp.int32), params, jax.tree.map(jnp.copy, params), tx.init(params))


def to_model_batch(batch: dict[str, Any], model: Model) -> dict[str, Any]:
  """int16 audio crops -> mels, on the device.  Takes the arrays of `Crops.crop`, batched.

  In place of `audio` and `context_audio`, `targets` [B, T, D] and `targets_context` [B, C, D] are taken: log-mel, as SeqIO tasks have it.

  Returns:
    `conditions` (Conditions, the context scaled), `targets` [B, T, D] in the units of `model.config.targets`, `targets_mask` [B, T].
  """
  config, network = model.config, model.config.network

  def frames(audio, mels, count, valid, units):
    features = batch[mels] if mels in batch else log_mel(batch[audio], config.mel, frames=count)
    mask = (jnp.arange(count) < batch[valid][:, None]).astype(jnp.int32)
    features, silence = (scale(features, config.mel), -1.0) if units == 'scaled' else (features, 0.0)
    return jnp.where(mask[..., None] > 0, features, silence), mask

  targets, targets_mask = frames('audio', 'targets', network.target_frames, 'frames', config.targets)
  notes = AlignedNotes(**batch['notes']) if isinstance(batch['notes'], dict) else batch['notes']
  conditions = Conditions(notes)
  if network.context_frames:
    conditions = Conditions(notes, *frames('context_audio', 'targets_context', network.context_frames, 'context_frames', 'scaled'))
  return {'conditions': conditions, 'targets': targets, 'targets_mask': targets_mask}


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
  metrics |= {'grad_norm': optax.tree.norm(grads)}
  return TrainState(state.step + 1, params, ema, opt_state), metrics


@partial(jax.jit, static_argnames='model')
def eval_step(params: Any, batch: dict, key: jax.Array, *, model: Model) -> dict[str, jax.Array]:
  """Metrics of a model in use."""
  return model.evaluation_loss(params, to_model_batch(batch, model), key)
