"""Optimisers and learning-rate schedules, by optax."""

import functools

import jax
import optax

from mt3_synth.training.config import OptimizerConfig


def learning_rate(config: OptimizerConfig, total_steps: int) -> optax.Schedule:
  """Linear warm-up from 0, then constant or half a cosine down to 0 at `total_steps`."""
  peak, warmup = config.learning_rate, config.warmup_steps
  cosine = config.schedule == 'cosine'
  after = optax.cosine_decay_schedule(peak, max(total_steps - warmup, 1)) if cosine else optax.constant_schedule(peak)
  return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), after], [warmup]) if warmup else after


@functools.cache
def make_optimizer(config: OptimizerConfig, total_steps: int) -> optax.GradientTransformation:
  """The configured optimiser; weight decay is of kernels alone.  Equal arguments give the same object, so its step is compiled once."""
  rate = learning_rate(config, total_steps)
  if config.name == 'adafactor':
    decay = config.weight_decay or None
    tx = optax.adafactor(rate, decay_rate=0.8, multiply_by_parameter_scale=True, weight_decay_rate=decay, weight_decay_mask=_is_kernel)
  else:
    tx = optax.adamw(rate, b2=0.99, weight_decay=config.weight_decay, mask=_is_kernel)
  return optax.chain(optax.clip_by_global_norm(config.clip_norm), tx) if config.clip_norm else tx


def _is_kernel(params):
  return jax.tree_util.tree_map_with_path(lambda path, _: getattr(path[-1], 'key', None) == 'kernel', params)
