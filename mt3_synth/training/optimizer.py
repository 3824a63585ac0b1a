"""Optimisers and learning-rate schedules."""

import functools

import jax
import jax.numpy as jnp
import optax

from mt3_synth.training.adafactor import adafactor
from mt3_synth.training.config import OptimizerConfig
from mt3_synth.training.guard import guarded


def learning_rate(config: OptimizerConfig, total_steps: int) -> optax.Schedule:
  """Linear warm-up from 0, then what `config.schedule` says.

  `constant` stays, `linear` and `cosine` fall to 0 at `total_steps`, `rsqrt` is learning_rate / sqrt(max(step, warmup_steps)), which the
  factors 'constant * linear_warmup * rsqrt_decay' of T5X are.
  """
  peak, warmup = config.learning_rate, config.warmup_steps
  steps = max(total_steps - warmup, 1)
  after = {
    'constant': optax.constant_schedule(peak),
    'linear': optax.linear_schedule(peak, 0.0, steps),
    'cosine': optax.cosine_decay_schedule(peak, steps),
    'rsqrt': lambda step: peak / jnp.sqrt(jnp.maximum(step + warmup, 1)),
  }[config.schedule]
  if not warmup:
    return after
  return optax.join_schedules([optax.linear_schedule(0.0, float(jnp.asarray(after(0))), warmup), after], [warmup])


@functools.cache
def make_optimizer(config: OptimizerConfig, total_steps: int) -> optax.GradientTransformation:
  """The configured optimiser, within `guarded`.

  Weight decay is of kernels alone.  Equal arguments give the same object, so its step is compiled once.  `init` takes parameters in Flax's
  boxes, which tell Adafactor their axes, or without.
  """
  rate = learning_rate(config, total_steps)
  parts = [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
  if config.name == 'adafactor':
    parts.append(adafactor(rate))
    if config.weight_decay:
      parts.append(optax.add_decayed_weights(-config.weight_decay, _is_kernel))  # of a step, whatever the rate, as T5X does
  else:
    parts.append(optax.adamw(rate, config.b1, config.b2, config.eps, weight_decay=config.weight_decay, mask=_is_kernel))
  return guarded(optax.chain(*parts), config.spike)


def _is_kernel(params):
  return jax.tree_util.tree_map_with_path(lambda path, _: getattr(path[-1], 'key', None) == 'kernel', params)
