"""The configurations in a folder of diffusers' SpectrogramDiffusionPipeline <-> ModelConfig."""

import json
from pathlib import Path
from typing import Any

from mt3_synth.config import ModelConfig, from_json, to_json
from mt3_synth.errors import InputError
from mt3_synth.notes.programs import Granularity

INDEX = 'model_index.json'
OURS = 'mt3_synth.json'  # what diffusers has no place for; it passes over the file
PIPELINE = 'SpectrogramDiffusionPipeline'
# Folder -> class of diffusers, and the library that the published index finds it in.
CLASSES = {
  'notes_encoder': ('spectrogram_diffusion', 'SpectrogramNotesEncoder'),
  'continuous_encoder': ('spectrogram_diffusion', 'SpectrogramContEncoder'),
  'decoder': ('diffusers', 'T5FilmDecoder'),
}
# Our field of NetworkConfig -> theirs, folder by folder; where a field is in several, all must agree.
_SIZES = {'emb_dim': 'd_model', 'num_heads': 'num_heads', 'head_dim': 'd_kv', 'mlp_dim': 'd_ff', 'dropout': 'dropout_rate'}
NETWORK = {
  'notes_encoder': _SIZES | {'note_length': 'max_length', 'vocab_size': 'vocab_size', 'encoder_layers': 'num_layers'},
  'continuous_encoder': _SIZES | {'context_frames': 'targets_context_length', 'mel_bands': 'input_dims', 'encoder_layers': 'num_layers'},
  'decoder': _SIZES
  | {
    'target_frames': 'targets_length',
    'mel_bands': 'input_dims',
    'decoder_layers': 'num_layers',
    'max_noise_time': 'max_decoder_noise_time',
  },
}
_FIXED = {'feed_forward_proj': 'gated-gelu', 'is_decoder': False}  # of both encoders
_OLD_NOISE_TIME = 2000.0  # of decoders whose configuration does not say it
_SCHEDULER = 'scheduler/scheduler_config.json'
_OUTPUTS = {'eps': 'epsilon', 'x0': 'sample', 'v': 'v_prediction'}
_VARIANCES = {'large': 'fixed_large', 'small': 'fixed_small'}
_SCHEDULES = {'cosine': 'squaredcos_cap_v2', 'linear': 'linear'}


def read_config(folder: Path, programs: Granularity | None = None) -> ModelConfig:
  """What the model in `folder` is.

  Args:
    folder: with model_index.json.
    programs: how finely its training data told instruments apart.  Where None: what our export wrote, else `slakh_classes`, to which
      diffusers maps all programs.

  Raises:
    InputError: a file is missing or damaged, or it is another pipeline or a setting that can't be run here.
  """
  index = _read(folder / INDEX)
  if index.get('_class_name') != PIPELINE:
    raise InputError(f'{folder / INDEX}: _class_name is {index.get("_class_name")!r}, expected {PIPELINE!r}')
  scheduler = _read_scheduler(folder / _SCHEDULER)
  values = {'notes': {'programs': 'slakh_classes'}, 'network': _read_network(folder)} | scheduler
  config = from_json(ModelConfig, json.dumps(values), str(folder))
  if (folder / OURS).is_file():
    ours = from_json(ModelConfig, json.dumps(_read(folder / OURS)), str(folder / OURS))
    if ours.network != config.network:
      raise InputError(f'{folder / OURS}: describes another network than the folders beside it; remove the file')
    config = ours
  if programs is None:
    return config
  return from_json(ModelConfig, json.dumps(json.loads(to_json(config)) | {'notes': vars(config.notes) | {'programs': programs}}))


def write_configs(folder: Path, config: ModelConfig) -> None:
  """Writes all of `folder` but the weights.

  Raises:
    InputError: diffusers has no such model.
  """
  check_exportable(config)
  index: dict[str, Any] = {'_class_name': PIPELINE, 'melgan': [None, None], 'scheduler': ['diffusers', 'DDPMScheduler']}
  for name, (library, cls) in CLASSES.items():
    index[name] = [library, cls]
    values: dict[str, Any] = {theirs: getattr(config.network, ours) for ours, theirs in NETWORK[name].items()}
    _write(folder / name / 'config.json', {'_class_name': cls} | values | (_FIXED if name != 'decoder' else {}))
  d = config.diffusion
  _write(
    folder / _SCHEDULER,
    {
      '_class_name': 'DDPMScheduler',
      'num_train_timesteps': d.beta_steps if d.schedule == 'linear' else 1000,
      'beta_schedule': _SCHEDULES[d.schedule],
      'beta_start': d.beta_start,
      'beta_end': d.beta_stop,
      'prediction_type': _OUTPUTS[d.output],
      'variance_type': _VARIANCES['small' if config.sampler.variance == 'small' else 'large'],
      'clip_sample': True,
    },
  )
  _write(folder / INDEX, index)
  (folder / OURS).write_text(to_json(config))


def check_exportable(config: ModelConfig) -> None:
  """Raises InputError where diffusers has no such model."""
  network = config.network
  needed = {
    'decoder': (config.decoder, ('diffusion',)),
    'network.conditioning': (network.conditioning, ('tokens',)),
    'network.position_encoding': (network.position_encoding, ('fixed_permuted_offset',)),
    'network.context_positions': (network.context_positions, ('terminal_relative',)),
    'network.cross_attend_style': (network.cross_attend_style, ('concat_encodings',)),
    'network.mask_padding': (network.mask_padding, (True,)),
    'diffusion.output': (config.diffusion.output, tuple(_OUTPUTS)),
  }
  for field, (found, only) in needed.items():
    if found not in only:
      raise InputError(f'diffusers has no model with {field} {found!r}, only {" or ".join(map(repr, only))}; export without --format')
  if not network.context_frames:
    raise InputError('diffusers has no model without context; export without --format')


def _read_network(folder: Path) -> dict[str, Any]:
  values, said_by = {}, {}
  for name, table in NETWORK.items():
    file = folder / name / 'config.json'
    found = _read(file)
    if found.get('_class_name') != CLASSES[name][1]:
      raise InputError(f'{file}: _class_name is {found.get("_class_name")!r}, expected {CLASSES[name][1]!r}')
    for setting, only in _FIXED.items():
      if found.get(setting, only) != only:
        raise InputError(f'{file}: {setting} is {found[setting]!r}; only {only!r} can be run here')
    for ours, theirs in table.items():
      if theirs not in found and ours != 'max_noise_time':
        raise InputError(f'{file}: field {theirs} is missing')
      value = found.get(theirs, _OLD_NOISE_TIME)
      if values.setdefault(ours, value) != value:
        raise InputError(f'{file}: {theirs} is {value}, but {values[ours]} in {said_by[ours]}; both must be the same here')
      said_by.setdefault(ours, file)
  return values


def _read_scheduler(file: Path) -> dict[str, Any]:
  found = _read(file)

  def ours(field: str, table: dict[str, str], default: str) -> str:
    theirs = found.get(field, default)
    for own, name in table.items():
      if name == theirs:
        return own
    raise InputError(f'{file}: {field} is {theirs!r}, expected {" or ".join(table.values())}')

  steps = found.get('num_train_timesteps', 1000)
  diffusion = {'schedule': ours('beta_schedule', _SCHEDULES, 'linear'), 'output': ours('prediction_type', _OUTPUTS, 'epsilon')}
  if diffusion['schedule'] == 'linear':
    diffusion |= {'beta_start': found.get('beta_start', 1e-4), 'beta_stop': found.get('beta_end', 0.02), 'beta_steps': steps}
  return {'diffusion': diffusion, 'sampler': {'variance': ours('variance_type', _VARIANCES, 'fixed_large'), 'steps': steps}}


def _read(file: Path) -> dict[str, Any]:
  try:
    found = json.loads(file.read_text())
  except FileNotFoundError:
    raise InputError(f'{file}: missing; a model of diffusers has {INDEX}, {", ".join(CLASSES)} and scheduler: download all of it') from None
  except (OSError, ValueError) as e:
    raise InputError(f'{file}: unreadable or cut short ({e}); download it again') from None
  if not isinstance(found, dict):
    raise InputError(f'{file}: expected a JSON object')
  return found


def _write(file: Path, values: dict[str, Any]) -> None:
  file.parent.mkdir(parents=True, exist_ok=True)
  file.write_text(json.dumps(values, indent=2, sort_keys=True) + '\n')
