"""The published system's config.gin -> ModelConfig."""

import json
from typing import Any

from mt3_synth.config import ModelConfig, NotesConfig, from_json
from mt3_synth.errors import InputError
from mt3_synth.interop.gin_text import GinText, Reference
from mt3_synth.notes.codec import Codec
from mt3_synth.notes.programs import Granularity

# Our field: the published name, and the value it has there where config.gin says nothing.
NETWORK = {
  'emb_dim': ('T5Config.emb_dim', 512),
  'num_heads': ('T5Config.num_heads', 8),
  'head_dim': ('T5Config.head_dim', 64),
  'encoder_layers': ('T5Config.num_encoder_layers', 6),
  'decoder_layers': ('T5Config.num_decoder_layers', 6),
  'mlp_dim': ('T5Config.mlp_dim', 2048),
  'dropout': ('T5Config.dropout_rate', 0.1),
  'dtype': ('T5Config.dtype', 'float32'),
}
DIFFUSION_NETWORK = {
  'max_noise_time': ('T5Config.max_decoder_noise_time', 20000.0),
  'cross_attend_style': ('T5Config.decoder_cross_attend_style', 'sum_cross_attends'),
  'context_positions': ('T5Config.context_positions', 'regular'),
}
DIFFUSION = {
  'schedule': ('train/DiffusionSchedule.name', 'cosine'),
  'time': ('DiffusionConfig.time_continuous_or_discrete', 'continuous'),
  'output': ('DiffusionConfig.model_output', 'eps'),
  'loss_on': ('DiffusionConfig.loss_type', 'eps'),
  'loss': ('DiffusionConfig.loss_norm', 'l1'),
  'condition_dropout': ('ClassifierFreeGuidanceConfig.drop_condition_prob', 0.1),
}
LINEAR_SCHEDULE = {
  'beta_start': 'DiffusionSchedule.start',
  'beta_stop': 'DiffusionSchedule.stop',
  'beta_steps': 'DiffusionSchedule.num_steps',
}
SAMPLER = {
  'name': ('SamplerConfig.name', 'ddpm'),
  'variance': ('SamplerConfig.logvar_type', 'large'),
  'steps': ('sampler/DiffusionSchedule.num_steps', 1000),
  # The authors play with 2; config.gin is silent, and the code's own 5 was meant for evaluation.
  'guidance': ('ClassifierFreeGuidanceConfig.eval_condition_weight', 2.0),
}
MIXTURE = {
  'components': ('GaussianMixture.n_components', 8),
  'min_sigma': ('GaussianMixture.min_sigma', 0.1),
  'max_sigma': ('GaussianMixture.max_sigma', 1.0),
}
MODELS = {'ContextDiffusionModel': 'diffusion', 'DiffusionModel': 'diffusion', 'ContinuousOutputsEncoderDecoderModel': 'autoregressive'}
# Settings that only one value of can be run here, and the published default.
FIXED = {
  'AUDIO_CODEC': (Reference('MelGAN'), Reference('MelGAN')),
  'T5Config.mlp_activations': (('gelu', 'linear'), ('relu',)),
  'T5Config.logits_via_embedding': (False, False),
  'NoteRepresentationConfig.onsets_only': (False, False),
  'SamplerConfig.clip_x0': (True, True),
}


def model_config(gin: GinText, programs: Granularity | None = None) -> ModelConfig:
  """What a checkpoint with this config.gin is.

  Args:
    gin: the file.
    programs: how finely its training data told instruments apart; see `_notes` where None.

  Raises:
    InputError: it describes a model that can't be run here, or lacks a setting.
  """
  try:
    values = json.dumps(_values(gin, programs))
  except (TypeError, AttributeError) as e:
    raise InputError(f'{gin.source}: holds a value of another kind than the published ones ({e})') from None
  return from_json(ModelConfig, values, gin.source)


def _values(gin: GinText, programs: Granularity | None) -> dict[str, Any]:
  for name, (only, default) in FIXED.items():
    found = gin.get(name, default)
    if _plain(found) != _plain(only):
      raise InputError(f'{gin.source}: {name} is {_plain(found)!r}; only {_plain(only)!r} can be run here')
  model = gin.get('MODEL')
  if _plain(model) not in MODELS:
    raise InputError(f'{gin.source}: MODEL is {_plain(model)!r}, expected one of {", ".join(MODELS)}')
  decoder = MODELS[_plain(model)]
  notes = _notes(gin, programs)
  values = {
    'notes': notes,
    'network': _network(gin, decoder, notes, has_context=_plain(model) == 'ContextDiffusionModel'),
    'decoder': decoder,
  }
  if decoder == 'diffusion':
    values |= {'diffusion': _diffusion(gin), 'sampler': _taken(gin, SAMPLER)}
  else:
    values['autoregressive'] = _autoregressive(gin)
  return values


def _taken(gin: GinText, table: dict[str, tuple[str, Any]]) -> dict[str, Any]:
  return {field: _plain(gin.get(name, default)) for field, (name, default) in table.items()}


def _plain(value: Any) -> Any:
  if isinstance(value, Reference):
    return value.last
  return tuple(value) if isinstance(value, list) else value


def _notes(gin: GinText, programs: Granularity | None) -> dict[str, Any]:
  granularity = gin.get('PROGRAM_GRANULARITY', None) or gin.get('map_midi_programs.granularity_type', 'full')
  if programs is None:
    # `full` keeps what the prepared corpora hold, and those of the published system had been mapped to the classes of Slakh.
    programs = 'slakh_classes' if granularity == 'full' else granularity
  per_second = gin.get('VocabularyConfig.steps_per_second', 100)
  bins = gin.get('VocabularyConfig.num_velocity_bins', None)
  return {
    'steps_per_second': per_second,
    'max_shift_steps': per_second * gin.get('VocabularyConfig.max_shift_seconds', 10),
    'velocity_bins': gin.get('NUM_VELOCITY_BINS', 127) if bins is None else bins,
    'ties': gin.get('NoteRepresentationConfig.include_ties', True),
    'programs': programs,
  }


def _network(gin: GinText, decoder: str, notes: dict[str, Any], has_context: bool) -> dict[str, Any]:
  lengths = gin.get('TASK_FEATURE_LENGTHS')
  needed = ('inputs', 'targets', *(['targets_context'] if has_context else []))
  if not isinstance(lengths, dict) or any(name not in lengths for name in needed):
    raise InputError(f'{gin.source}: TASK_FEATURE_LENGTHS is {lengths!r}, expected lengths of {", ".join(needed)}')
  vocab_size = gin.get('T5Config.vocab_size')
  if isinstance(vocab_size, Reference):  # of the function that counts the vocabulary
    vocab_size = Codec(from_json(NotesConfig, json.dumps(notes), gin.source)).table_size
  values = _taken(gin, NETWORK) | {
    'vocab_size': vocab_size,
    'note_length': lengths['inputs'],
    'target_frames': lengths['targets'],
    'context_frames': lengths['targets_context'] if has_context else 0,
  }
  if decoder == 'diffusion':
    # Whatever its positions began as, their table is in the checkpoint.
    return values | _taken(gin, DIFFUSION_NETWORK) | {'position_encoding': 'fixed_permuted_offset'}
  return values | {'position_encoding': 'fixed', 'mask_padding': False}


def _diffusion(gin: GinText) -> dict[str, Any]:
  values = _taken(gin, DIFFUSION)
  walked = gin.get('sampler/DiffusionSchedule.name', 'cosine')
  if walked != values['schedule']:
    raise InputError(
      f'{gin.source}: sampled with a {walked} schedule and trained with {values["schedule"]}; only one for both can be run here'
    )
  if values['schedule'] == 'linear':
    values |= {field: gin.get(f'train/{name}') for field, name in LINEAR_SCHEDULE.items()}
  if values['time'] == 'discrete':
    values['time_steps'] = gin.get('train/DiffusionSchedule.num_steps')
  return values


def _autoregressive(gin: GinText) -> dict[str, Any]:
  output = gin.get('ContinuousOutputsEncoderDecoderModel.output_function', Reference('Deterministic')).last
  values = {'targets': 'log_mel', 'dither': gin.get('Deterministic.sampling_dither_amount', 0.0)}
  if output == 'GaussianMixture':
    return values | {'output': 'mixture'} | _taken(gin, MIXTURE)
  return values | {'output': 'deterministic'}
