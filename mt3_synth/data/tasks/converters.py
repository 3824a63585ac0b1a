"""Task features -> model features: padded to TASK_FEATURE_LENGTHS, with masks.  The names are those of T5X's batches."""

from collections.abc import Mapping
from typing import Any

import seqio
import tensorflow as tf

from mt3_synth.config import ModelConfig

_Spec = seqio.FeatureConverter.FeatureSpec
_TOKENS, _MELS, _MASK = _Spec(dtype=tf.int32), _Spec(dtype=tf.float32, rank=2), _Spec(dtype=tf.bool)
_TASK_FEATURES = {'inputs': _TOKENS, 'targets': _MELS}
_MODEL_FEATURES = {'encoder_input_tokens': _TOKENS, 'decoder_target_tokens': _MELS, 'decoder_target_mask': _MASK}


class _MelConverter(seqio.FeatureConverter):
  """Pads features and says in masks which frames are valid.

  Subclasses say `RENAMED`: task feature -> model feature, and `MASKS`: task feature -> its mask among the model features.  Passthrough
  features pass as they are.
  """

  RENAMED: Mapping[str, str]
  MASKS: Mapping[str, str]
  PACKING_FEATURE_DTYPES: Any = None

  def __init__(self, pack: bool = False, **kwargs):
    if pack:
      raise ValueError('spectrograms are not packed; give pack=False')
    super().__init__(pack=False, **kwargs)

  def _convert_features(self, ds: tf.data.Dataset, task_feature_lengths: Mapping[str, int]) -> tf.data.Dataset:
    def convert(example):
      features = {name: example[name] for name in self._passthrough_features}
      for name, model_name in self.RENAMED.items():
        length = task_feature_lengths[name]
        value = example[name][:length]
        if name in self.MASKS:
          features[self.MASKS[name]] = tf.sequence_mask(tf.shape(value)[0], length)
        padding = [[0, length - tf.shape(value)[0]]] + [[0, 0]] * (len(value.shape) - 1)
        features[model_name] = tf.ensure_shape(tf.pad(value, padding), [length, *value.shape[1:]])
      return features | self._more(features)

    return ds.map(convert, num_parallel_calls=tf.data.AUTOTUNE)

  def _more(self, features: dict) -> dict:
    """Model features made of others."""
    del features
    return {}

  def get_model_feature_lengths(self, task_feature_lengths: Mapping[str, int]) -> dict[str, int]:
    lengths = {model_name: task_feature_lengths[name] for name, model_name in self.RENAMED.items()}
    lengths |= {mask: task_feature_lengths[name] for name, mask in self.MASKS.items()}
    return lengths | {name: task_feature_lengths[name] for name in self._passthrough_features}


class DiffusionConverter(_MelConverter):
  """For a diffusion model without context; feature lengths: inputs, targets."""

  TASK_FEATURES = _TASK_FEATURES
  MODEL_FEATURES = _MODEL_FEATURES
  RENAMED = {'inputs': 'encoder_input_tokens', 'targets': 'decoder_target_tokens'}
  MASKS = {'targets': 'decoder_target_mask'}


class ContextDiffusionConverter(_MelConverter):
  """For a diffusion model with context; feature lengths: inputs, targets, targets_context."""

  TASK_FEATURES = _TASK_FEATURES | {'targets_context': _MELS}
  MODEL_FEATURES = _MODEL_FEATURES | {'encoder_continuous_inputs': _MELS, 'encoder_continuous_mask': _MASK}
  RENAMED = {**DiffusionConverter.RENAMED, 'targets_context': 'encoder_continuous_inputs'}
  MASKS = {**DiffusionConverter.MASKS, 'targets_context': 'encoder_continuous_mask'}


class AutoregressiveConverter(DiffusionConverter):
  """For the autoregressive model, which is fed the targets one frame late, a frame of zeros first; feature lengths: inputs, targets."""

  MODEL_FEATURES = _MODEL_FEATURES | {'decoder_input_tokens': _MELS}

  def _more(self, features: dict) -> dict:
    return {'decoder_input_tokens': tf.pad(features['decoder_target_tokens'][:-1], [[1, 0], [0, 0]])}

  def get_model_feature_lengths(self, task_feature_lengths: Mapping[str, int]) -> dict[str, int]:
    return super().get_model_feature_lengths(task_feature_lengths) | {'decoder_input_tokens': task_feature_lengths['targets']}


def converter_class(config: ModelConfig) -> type[_MelConverter]:
  """What the trainer's batches are made with.  Models that predict a frame from those before it shift the targets themselves."""
  return ContextDiffusionConverter if config.network.context_frames else DiffusionConverter


def feature_lengths(config: ModelConfig) -> dict[str, int]:
  """Task features -> the lengths a model of `config` takes."""
  network = config.network
  lengths = {'inputs': network.note_length, 'targets': network.target_frames}
  return lengths | ({'targets_context': network.context_frames} if network.context_frames else {})
