"""What a diffusion decoder is trained to make small."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mt3_synth.config import DiffusionConfig
from mt3_synth.diffusion import process


def denoising_error(output: jax.Array, x0: jax.Array, eps: jax.Array, logsnr: jax.Array, config: DiffusionConfig) -> jax.Array:
  """The error of one noisy batch, element by element, [B, T, D].

  Args:
    output: what the network said of z = alpha x0 + sigma eps.
    x0, eps: [B, T, D] what z was made of.
    logsnr: [B].
    config: `output` says what the network predicts, `loss_on` in which quantity the error is taken, `loss` its norm.
  """
  mean, std, *_ = process.forward(x0, logsnr)
  z = mean + std * eps
  x0_hat = process.to_x0(output, z, logsnr, config.output)
  eps_hat = output if config.output == 'eps' else process.to_eps(x0_hat, z, logsnr)

  def norm(error):
    return jnp.abs(error) if config.loss == 'l1' else jnp.square(error)

  if config.loss_on == 'x0':
    return norm(x0_hat - x0)
  if config.loss_on == 'eps':
    return norm(eps_hat - eps)
  if config.loss_on == 'x0_and_eps':
    return norm(x0_hat - x0) + norm(eps_hat - eps)
  if config.loss_on == 'max_x0_eps':
    return jnp.maximum(norm(x0_hat - x0), norm(eps_hat - eps))
  v_hat = output if config.output == 'v' else process.to_v(x0_hat, eps_hat, logsnr)
  return norm(v_hat - process.to_v(x0, eps, logsnr))


def masked_mean(error: jax.Array, mask: jax.Array) -> jax.Array:
  """Mean of `error` [B, T, D] over the frames where `mask` [B, T] is not 0."""
  weight = mask.astype(error.dtype)[..., None]
  return (error * weight).sum() / jnp.maximum(weight.sum() * error.shape[-1], 1)


class Binned(NamedTuple):
  """A mean in each of K equal parts of [0, 1]: totals and counts, so that those of several batches can be added."""

  totals: jax.Array  # [K]
  counts: jax.Array  # [K]


def by_time(error: jax.Array, mask: jax.Array, time: jax.Array, bins: int = 10) -> Binned:
  """The means of examples' errors [B, T, D] over the frames where `mask` [B, T] is not 0, in bins of their diffusion times [B]."""
  each = jax.vmap(masked_mean)(error, mask)
  heard = (mask != 0).any(-1)  # an example without frames has no error
  bin_of = jax.nn.one_hot(jnp.minimum((time * bins).astype(jnp.int32), bins - 1), bins) * heard[:, None]
  return Binned(each @ bin_of, bin_of.sum(0))
