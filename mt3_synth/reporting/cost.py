"""What a model costs: parameters, and minutes of training where its run is at hand."""

import json
from functools import cache
from pathlib import Path

from mt3_synth.config import ModelConfig


@cache
def parameter_count(config: ModelConfig) -> int:
  """Parameters of the model that a configuration describes."""
  import jax

  from mt3_synth.models.model import make_model

  return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(make_model(config).init, jax.random.key(0))))


def training_minutes(checkpoint: str) -> float | None:
  """Minutes that a training run took, by its log; None where the checkpoint is no run, or is not on this machine.

  A run that was stopped and went on counts its seconds from each start anew.
  """
  log = Path(checkpoint) / 'metrics.jsonl'
  try:
    lines = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
    seconds = [float(line['seconds']) for line in lines]
  except (OSError, ValueError, KeyError):
    return None
  ends = [here for here, after in zip(seconds, [*seconds[1:], -1.0], strict=True) if after < here]
  return sum(ends) / 60
