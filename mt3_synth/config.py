"""Configurations: frozen dataclasses that travel with a checkpoint as JSON.

Shape letters, the same everywhere:
  B batch    N note tokens    M aligned notes    C context frames    T target frames
  D mel bands    E embedding    H heads    K basis functions    S samples of audio or steps of a walk

A frame is `MelConfig.hop` samples (0.02 s), a step of the note grid 0.01 s.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from mt3_synth.errors import InputError

Config = TypeVar('Config')


@dataclass(frozen=True)
class MelConfig:
  """Log-mel features: magnitude, HTK mel scale, natural logarithm."""

  sample_rate: int = 16000
  hop: int = 320
  window: int = 640
  fft: int = 1024
  bands: int = 128
  low_hz: float = 0.0
  high_hz: float = 8000.0
  floor: float = 1e-5  # magnitudes are clipped here before the logarithm
  log_ceiling: float = 4.0  # [log(floor), log_ceiling] is scaled to [-1, 1]

  @property
  def frames_per_second(self) -> float:
    return self.sample_rate / self.hop


@dataclass(frozen=True)
class NotesConfig:
  """How notes become tokens (MT3, ISMIR 2022, section 3.1) or aligned notes."""

  steps_per_second: int = 100
  max_shift_steps: int = 1000
  velocity_bins: int = 1
  ties: bool = True
  programs: Literal['flat', 'midi_class', 'full', 'slakh_classes'] = 'full'
  onsets_only: bool = False  # tokens say when which pitch is struck, and nothing else; without ties


TOKEN_BUCKETS = (256, 512, 1024, 2048)  # lengths of token rows that programs are compiled for: masked padding changes nothing but time


@dataclass(frozen=True)
class NetworkConfig:
  """The sizes of the networks; the defaults are the published `small`."""

  conditioning: Literal['tokens', 'aligned'] = 'tokens'
  vocab_size: int = 1536  # rows of the embedding table
  note_length: int = 2048  # N, or M when conditioning is aligned
  target_frames: int = 256  # T
  context_frames: int = 256  # C; 0 for models without context
  mel_bands: int = 128  # D
  emb_dim: int = 512  # E
  num_heads: int = 6  # H
  head_dim: int = 64
  encoder_layers: int = 8
  decoder_layers: int = 8
  mlp_dim: int = 1024
  note_features: int = 96  # width of an aligned note's embedding; unused by tokens
  # Sinusoids: `fixed` are plain and no parameters, `fixed_permuted_offset` have bands and phases drawn once, kept in the checkpoint.
  position_encoding: Literal['fixed', 'fixed_permuted_offset'] = 'fixed_permuted_offset'
  context_positions: Literal['regular', 'terminal_relative'] = (
    'terminal_relative'  # counted from the first, or back from the last valid frame
  )
  cross_attend_style: Literal['concat_encodings', 'sum_cross_attends'] = 'concat_encodings'  # one attention to all, or one each, summed
  mask_padding: bool = True  # the note encoder's tokens do not hear padding; the published autoregressive model's do
  max_noise_time: float = 20000.0  # diffusion time 1 in the units of the time embedding
  dropout: float = 0.1
  dtype: Literal['float32', 'bfloat16'] = 'float32'  # of activations; parameters are float32
  # How it is computed; results are the same to rounding.
  attention: Literal['auto', 'plain', 'cudnn'] = 'auto'  # fused kernels on CUDA GPUs, of bfloat16; long rows in blocks on a CPU
  remat: Literal['none', 'minimal', 'full'] = 'none'  # training computes again to save memory: nothing, all but products with weights, all
  scan_layers: bool = False  # layers as a loop, compiled once

  @property
  def token_buckets(self) -> tuple[int, ...]:
    """The lengths that rows of tokens may be cut to, the whole row last; a network that hears padding is given all of it."""
    cut = self.conditioning == 'tokens' and self.mask_padding
    return (*(length for length in TOKEN_BUCKETS if cut and length < self.note_length), self.note_length)


@dataclass(frozen=True)
class DiffusionConfig:
  """The process a diffusion decoder is trained on."""

  schedule: Literal['cosine', 'linear'] = 'cosine'
  beta_start: float = 1e-4  # of the linear schedule
  beta_stop: float = 0.02
  beta_steps: int = 1000
  time: Literal['continuous', 'discrete'] = 'continuous'
  time_steps: int = 1000  # of discrete time, which takes the values 1/steps, 2/steps, ..., 1
  output: Literal['eps', 'x0', 'v', 'x0_and_eps'] = 'eps'  # what the network predicts
  loss_on: Literal['eps', 'x0', 'v', 'x0_and_eps', 'max_x0_eps'] = 'eps'  # x0_and_eps is the sum of the two
  loss: Literal['l1', 'l2'] = 'l1'
  condition_dropout: float = 0.1  # share of training examples that lose all conditions
  context_dropout: float = 0.0  # share that lose the context alone, as a piece's first segment does
  context_noise: float = 0.0  # standard deviation of noise on the context in training, so that errors do not build up along a piece


@dataclass(frozen=True)
class AutoregressiveConfig:
  """A decoder that predicts a frame from those before it."""

  output: Literal['deterministic', 'mixture'] = 'deterministic'  # squared error, or the likelihood under a mixture of Gaussians
  components: int = 8  # of the mixture
  min_sigma: float = 0.05  # bounds of the components' standard deviations, in the units of the targets
  max_sigma: float = 5.0
  targets: Literal['log_mel', 'scaled'] = 'log_mel'  # natural logarithm as published, or scaled to [-1, 1]
  input_noise: float = 0.0  # standard deviation of noise on the previous frames in training, so that errors do not build up along a segment
  context_dropout: float = 0.0  # share of training examples that lose the context
  context_noise: float = 0.0  # standard deviation of noise on the context in training
  dither: float = 0.0  # standard deviation of noise on each frame that is fed back in decoding
  temperature: float = 1.0  # of draws from the mixture; 0 takes the likeliest component's mean


@dataclass(frozen=True)
class SamplerConfig:
  """How to walk from noise to a spectrogram."""

  name: Literal['ddpm', 'ddim', 'dpmpp_2m', 'dpmpp_2m_sde'] = 'ddpm'
  steps: int = 1000
  guidance: float = 2.0  # 1 is none
  variance: str = 'large'  # large, small or medium:f (ddpm and dpmpp_2m_sde)
  spacing: Literal['time', 'logsnr', 'power'] = 'time'  # how the noise levels are spread; uniform in time as published
  guidance_interval: tuple[float, ...] | None = None  # log-SNR from and to which guidance counts; everywhere where None
  dtype: Literal['float32', 'bfloat16'] | None = None  # of activations; the network's own where None


@dataclass(frozen=True)
class ModelConfig:
  """All a checkpoint needs to be used."""

  mel: MelConfig = field(default_factory=MelConfig)
  notes: NotesConfig = field(default_factory=NotesConfig)
  network: NetworkConfig = field(default_factory=NetworkConfig)
  decoder: Literal['diffusion', 'autoregressive'] = 'diffusion'
  diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)  # of decoder diffusion
  autoregressive: AutoregressiveConfig = field(default_factory=AutoregressiveConfig)  # of decoder autoregressive
  sampler: SamplerConfig = field(default_factory=SamplerConfig)

  @property
  def plain(self) -> 'ModelConfig':
    """The same model, however it is computed: a run may go on with other choices of that."""
    how = {name: NetworkConfig.__dataclass_fields__[name].default for name in ('attention', 'remat', 'scan_layers')}
    return dataclasses.replace(self, network=dataclasses.replace(self.network, **how))

  @property
  def targets(self) -> Literal['log_mel', 'scaled']:
    """The units of what the decoder is trained on."""
    return self.autoregressive.targets if self.decoder == 'autoregressive' else 'scaled'


@dataclass(frozen=True)
class GeneratorConfig:
  """The network that makes a waveform of a mel spectrogram; see `mt3_synth.inverter.generator`."""

  width: int = 384
  expansion: int = 2  # of a block's hidden layer, times the width
  blocks: int = 7  # that hear the mel and tell the linear spectrogram
  refining_blocks: int = 3  # that hear a first sound and correct it
  kernel: int = 7  # frames that a block looks at; odd
  iterations: int = 2  # of Griffin-Lim, on the way to the first sound
  projections: int = 8  # of the corrected sound towards the mel
  dtype: Literal['float32', 'bfloat16'] = 'float32'  # of activations; parameters and sound are float32


@dataclass(frozen=True)
class AdversaryConfig:
  """What an inverter is trained against; see `mt3_synth.training.discriminators`."""

  start: int = 0  # steps of the reconstruction alone
  ramp: int = 1000  # steps from then on until the adversaries count in full
  learning_rate: float = 0.3  # of the adversaries, times the generator's
  periods: tuple[int, ...] = (2, 3, 5, 7, 11)  # [samples]
  period_channels: tuple[int, ...] = (32, 128, 256, 512)
  ffts: tuple[int, ...] = (1024, 512, 256)  # windows of the spectrogram discriminators [samples], hopped by a quarter
  fft_channels: int = 32
  loss: Literal['hinge', 'least_squares'] = 'hinge'
  dtype: Literal['float32', 'bfloat16'] = 'float32'


@dataclass(frozen=True)
class InverterLossConfig:
  """Weights of the parts of an inverter's loss; see `mt3_synth.training.inversion_loss`."""

  stft: float = 10.0  # of the sound: spectral convergence and log magnitude at three resolutions
  scales: float = 1.0  # of the sound: linear and log magnitudes at six resolutions
  mel: float = 20.0  # of the sound: its log-mel
  unprojected: float = 5.0  # of the sound before the projections: its stft and mel distances
  magnitude: float = 3.0  # of the linear spectrogram that the first blocks tell
  advance: float = 1.0  # of the phase advances that the first blocks tell
  adversarial: float = 0.3
  features: float = 0.6  # of the discriminators' layers


@dataclass(frozen=True)
class AugmentationConfig:
  """Changes of the sounds and the mels that an inverter is trained on; see `mt3_synth.training.augmentation`."""

  gain: float = 18.0  # [dB] the sound becomes up to so much quieter
  mix: float = 0.3  # share of the sounds that have another one of the batch added
  speed_share: float = 0.5  # of the sounds that are played faster or slower, and so higher or lower:
  speed: float = 0.15  # by up to this share
  reverb: float = 0.15  # share that a drawn room is added to
  noise: float = 0.15  # share that a drawn noise is added to, 30 to 70 dB below
  mel_share: float = 0.3  # of the mels that are told wrongly, as a model's own are:
  mel_noise: float = 0.15  # with noise of up to this standard deviation [ln]
  mel_blur: float = 1.0  # and blurred over frames and bands by up to this weight of the neighbours


@dataclass(frozen=True)
class InverterConfig:
  """A trained inverter, and how it is trained."""

  mel: MelConfig = field(default_factory=MelConfig)
  generator: GeneratorConfig = field(default_factory=GeneratorConfig)
  crop_frames: int = 128  # of a training example
  augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
  loss: InverterLossConfig = field(default_factory=InverterLossConfig)
  adversary: AdversaryConfig = field(default_factory=AdversaryConfig)


def to_json(config: Any) -> str:
  """A dataclass as indented JSON, every field written out."""
  return json.dumps(dataclasses.asdict(config), indent=2) + '\n'


def from_json(cls: type[Config] | types.UnionType, text: str, source: str = 'configuration') -> Config:
  """Reads what `to_json` wrote.

  Args:
    cls: the dataclass, or a union of several: the one that the text's fields are of.
    text: the JSON.
    source: named in errors, usually the file.

  Raises:
    InputError: the text is no JSON, or a field is unknown, missing or has a value of another type.
  """
  try:
    values = json.loads(text)
  except json.JSONDecodeError as e:
    raise InputError(f'{source}: not JSON ({e}); is the file whole?') from None
  return _build(cls, values, source, '')


def _build(cls, values, source, path):
  if not isinstance(values, dict):
    raise InputError(f'{source}: {f"field {path[:-1]}" if path else "the top level"} is {values!r}, expected an object')
  cls = _kin(cls, values)
  hints = typing.get_type_hints(cls)
  unknown = sorted(set(values) - set(hints))
  if unknown:
    raise InputError(f'{source}: unknown field {path}{unknown[0]}; {cls.__name__} has {", ".join(hints)}')
  missing = [each.name for each in dataclasses.fields(cls) if _is_required(each) and each.name not in values]
  if missing:
    raise InputError(f'{source}: field {path}{missing[0]} is missing')
  built = {}
  for name, value in values.items():
    kind = hints[name]
    if all(map(dataclasses.is_dataclass, _alternatives(kind))):
      value = _build(kind, value, source, f'{path}{name}.')
    elif not _fits(value, kind):
      raise InputError(f'{source}: field {path}{name} is {value!r}, expected {_in_words(kind)}')
    built[name] = float(value) if kind is float else tuple(value) if isinstance(value, list) else value
  return cls(**built)


def _kin(kind, values: dict):
  """The dataclass among the alternatives of `kind` that shares most fields with `values`; the first of several."""
  return max(_alternatives(kind), key=lambda cls: len({each.name for each in dataclasses.fields(cls)} & set(values)))


def _alternatives(kind) -> tuple:
  return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def _is_required(field) -> bool:
  return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _fits(value, kind) -> bool:
  origin = typing.get_origin(kind)
  if origin is Literal:
    return value in typing.get_args(kind)
  if origin in (typing.Union, types.UnionType):
    return any(_fits(value, each) for each in _alternatives(kind))
  if origin is dict:
    return isinstance(value, dict) and all(_fits(each, typing.get_args(kind)[1]) for each in value.values())
  if origin in (tuple, list):
    return isinstance(value, list) and all(_fits(each, typing.get_args(kind)[0]) for each in value)
  if kind is float:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
  if kind is int:
    return isinstance(value, int) and not isinstance(value, bool)
  return isinstance(value, kind)


def _in_words(kind) -> str:
  if typing.get_origin(kind) is Literal:
    return f'one of {", ".join(map(repr, typing.get_args(kind)))}'
  if typing.get_origin(kind) in (tuple, list):
    return f'a list of {_in_words(typing.get_args(kind)[0])}'
  if typing.get_origin(kind) is dict:
    return f'{{name: {_in_words(typing.get_args(kind)[1])}}}'
  return getattr(kind, '__name__', str(kind))
