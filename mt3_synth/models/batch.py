"""What loaders make -> what models take."""

from typing import Any

import jax.numpy as jnp

from mt3_synth.audio.mel import log_mel, scale
from mt3_synth.models.aligned import AlignedNotes
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import Model


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
