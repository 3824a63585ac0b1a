"""The configuration of a training run."""

from dataclasses import dataclass, field
from typing import Literal

from mt3_synth.config import ModelConfig


@dataclass(frozen=True)
class OptimizerConfig:
  """Defaults are the published: Adafactor at a constant rate."""

  name: Literal['adafactor', 'adamw'] = 'adafactor'
  learning_rate: float = 1e-3
  schedule: Literal['constant', 'cosine'] = 'constant'
  warmup_steps: int = 0
  weight_decay: float = 0.0
  clip_norm: float = 0.0  # of the whole gradient; 0 clips nothing


@dataclass(frozen=True)
class TrainConfig:
  """One run.  `corpora` are folders as `mt3-synth render` writes them, or `embedded`."""

  model_dir: str
  corpora: tuple[str, ...]
  model: ModelConfig = field(default_factory=ModelConfig)
  optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
  total_steps: int = 500_000
  batch_size: int = 256
  seed: int = 0
  ema_decay: float = 0.999
  log_every: int = 50
  eval_every: int = 1000
  eval_batches: int = 8
  save_every: int = 1000
  keep: int = 3
