"""The configuration of a training run."""

from dataclasses import dataclass, field
from typing import Literal

from mt3_synth.config import InverterConfig, ModelConfig

MODELS = ModelConfig | InverterConfig  # a union of what can be trained, each by its own Learner


@dataclass(frozen=True)
class OptimizerConfig:
  """Defaults are the published: Adafactor at a constant rate."""

  name: Literal['adafactor', 'adamw'] = 'adafactor'
  learning_rate: float = 1e-3
  schedule: Literal['constant', 'linear', 'cosine', 'rsqrt'] = 'constant'  # after the warm-up; see `optimizer.learning_rate`
  warmup_steps: int = 0
  weight_decay: float = 0.0
  clip_norm: float = 0.0  # of the whole gradient; 0 clips nothing
  spike: float = 0.0  # a gradient norm above so many times its running mean is a fault (see TrainConfig.on_fault); 0 knows no spikes
  b1: float = 0.9  # of adamw, as the next two
  b2: float = 0.99
  eps: float = 1e-8


@dataclass(frozen=True)
class MeshConfig:
  """How many devices share the examples alone, the examples and the parameters, and each layer's features."""

  data: int = 0  # what is left of the devices where 0
  fsdp: int = 1
  model: int = 1


@dataclass(frozen=True)
class TrainConfig:
  """One run."""

  model_dir: str
  corpora: tuple[str, ...]  # each `embedded`, a folder of prepared pieces or of tracks as `mt3-synth render` writes it, or a mixture's name
  data_dir: str = ''  # where corpora are looked for that are not in the current folder
  temperature: float | None = None  # of drawing from several corpora: 1 is by their length; the mixture's own where None
  max_visits: int = 0  # a corpus with more places to draw crops from counts as one with so many; 0 limits none
  crops_per_visit: int = 1  # crops for one reading of the disk, in different batches
  too_long: Literal['thin', 'drop'] = 'thin'  # what to do with an example of more than note_length tokens
  loader: Literal['grain', 'seqio'] = 'grain'  # seqio is for prepared corpora and models of tokens; needs mt3_synth[data]
  workers: int = 0  # processes that make the batches; 0 is threads of this one
  model: MODELS = field(default_factory=ModelConfig)
  optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
  total_steps: int = 500_000
  batch_size: int = 256  # of all devices and microbatches together
  microbatches: int = 1  # parts of a batch computed one after another, to save memory; their gradients are added up
  mesh: MeshConfig = field(default_factory=MeshConfig)
  seed: int = 0
  ema_decay: float = 0.999
  on_fault: Literal['stop', 'skip'] = 'stop'  # at an update that is no number, or a spike: it is left out, and the run stops or goes on
  init_from: str = ''  # a new run starts with the parameters of this model (whatever --checkpoint takes), and all else fresh
  resume_from: str = ''  # a new run starts as a copy of this run, or of one of its checkpoints, at that step
  log_every: int = 50
  eval_every: int = 1000
  eval_batches: int = 8  # of each corpus; 0 evaluates nothing
  examples_every: int = 0  # pictures and sounds of a few held-out examples for TensorBoard; 0 makes none
  save_every: int = 1000
  keep: int = 3  # checkpoints, the newest
  keep_every: int = 0  # and those of the steps that are multiples of it; 0 for none
  keep_best: int = 1  # and so many of lowest held-out loss, if it was measured at the step
  profile: tuple[int, ...] = ()  # the first and the last step that jax.profiler records, under MODEL_DIR/profile

  @property
  def spectrogram_model(self) -> ModelConfig:
    """`model` of a run that trains no inverter."""
    assert isinstance(self.model, ModelConfig)
    return self.model
