"""What tells recordings from an inverter's sound: discriminators of periods (Kong, Kim, Bae 2020) and of spectra (Jang et al. 2021)."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.audio.spectrum import hann_frames
from mt3_synth.config import AdversaryConfig

_SLOPE = 0.1  # of the leaky rectifiers


class Judgement(NamedTuple):
  """What one discriminator makes of sounds."""

  score: jax.Array  # [B, ...], the higher the more like a recording
  layers: list[jax.Array]  # its hidden layers


class Discriminators(nn.Module):
  """All of them: sounds [B, S] -> a list of judgements."""

  config: AdversaryConfig

  @nn.compact
  def __call__(self, audio: jax.Array) -> list[Judgement]:
    config = self.config
    by_period = [_OfPeriod(config, period, name=f'period_{period}')(audio) for period in config.periods]
    by_fft = [_OfSpectrum(config, fft, name=f'fft_{fft}')(audio) for fft in config.ffts]
    return by_period + by_fft


class _OfPeriod(nn.Module):
  """Convolutions over every `period`-th sample."""

  config: AdversaryConfig
  period: int

  @nn.compact
  def __call__(self, audio):
    length = audio.shape[1] // self.period * self.period
    x = audio[:, :length].reshape(audio.shape[0], -1, self.period)
    x = jnp.moveaxis(x, 2, 1).reshape(audio.shape[0] * self.period, -1, 1)
    layers, dtype = [], self.config.dtype
    for channels in self.config.period_channels:
      x = nn.leaky_relu(nn.Conv(channels, (5,), (3,), dtype=dtype)(x), _SLOPE)
      layers.append(x)
    x = nn.leaky_relu(nn.Conv(self.config.period_channels[-1], (5,), dtype=dtype)(x), _SLOPE)
    score = nn.Conv(1, (3,), dtype=dtype)(x)
    return Judgement(score.astype(jnp.float32).reshape(audio.shape[0], -1), [*layers, x])


class _OfSpectrum(nn.Module):
  """Convolutions over a complex spectrum, its magnitudes compressed."""

  config: AdversaryConfig
  fft: int

  @nn.compact
  def __call__(self, audio):
    spectrum = jnp.fft.rfft(hann_frames(audio, self.fft // 4, self.fft)) / np.sqrt(self.fft)
    spectrum = spectrum * (spectrum.real**2 + spectrum.imag**2 + 1e-8) ** -0.25
    x = jnp.stack([spectrum.real, spectrum.imag], axis=-1)
    layers, dtype, channels = [], self.config.dtype, self.config.fft_channels
    for stride in (1, 2, 2, 2):
      x = nn.leaky_relu(nn.Conv(channels, (3, 9), (1, stride), dtype=dtype)(x), _SLOPE)
      layers.append(x)
    x = nn.leaky_relu(nn.Conv(channels, (3, 3), dtype=dtype)(x), _SLOPE)
    score = nn.Conv(1, (3, 3), dtype=dtype)(x)
    return Judgement(score.astype(jnp.float32).reshape(audio.shape[0], -1), [*layers, x])


def discriminator_loss(real: list[Judgement], made: list[Judgement], kind: str) -> jax.Array:
  """Mean over discriminators; `kind` is hinge or least_squares."""
  if kind == 'hinge':
    losses = [nn.relu(1 - r.score).mean() + nn.relu(1 + m.score).mean() for r, m in zip(real, made, strict=True)]
  else:
    losses = [jnp.square(1 - r.score).mean() + jnp.square(m.score).mean() for r, m in zip(real, made, strict=True)]
  return jnp.stack(losses).mean()


def adversarial_loss(made: list[Judgement], kind: str) -> jax.Array:
  """How well the sounds are told apart, as the generator is to lessen it."""
  of = (lambda score: -score.mean()) if kind == 'hinge' else (lambda score: jnp.square(1 - score).mean())
  return jnp.stack([of(each.score) for each in made]).mean()


def feature_loss(real: list[Judgement], made: list[Judgement]) -> jax.Array:
  """Mean over layers of |difference|, in units of the recording's own mean size there."""
  apart = []
  for r, m in zip(real, made, strict=True):
    for a, b in zip(r.layers, m.layers, strict=True):
      a, b = jax.lax.stop_gradient(a).astype(jnp.float32), b.astype(jnp.float32)
      apart.append(jnp.abs(a - b).mean() / (jnp.abs(a).mean() + 1e-3))
  return jnp.stack(apart).mean()
