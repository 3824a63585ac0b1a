"""Changes of recordings and of mels, on the device, so that an inverter meets more than it was given."""

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import AugmentationConfig, MelConfig


def longest(samples: int, config: AugmentationConfig) -> int:
  """How many samples `change_sound` needs to make so many."""
  return int(np.ceil(samples * (1 + config.speed))) + 2


def change_sound(key: jax.Array, audio: jax.Array, samples: int, config: AugmentationConfig) -> jax.Array:
  """float32 [B, at least longest(samples)] in [-1, 1] -> [B, samples], in [-1, 1]."""
  keys = jax.random.split(key, 10)
  rows = (audio.shape[0], 1)
  chosen = lambda key, share: jax.random.bernoulli(key, share, rows)
  speed = jax.random.uniform(keys[9], rows, minval=1 - config.speed, maxval=1 + config.speed)
  audio = _resampled(audio, jnp.where(chosen(keys[0], config.speed_share), speed, 1), samples)
  level = 10 ** jax.random.uniform(keys[1], rows, minval=-1.0, maxval=0.0)
  audio = audio + jnp.where(chosen(keys[2], config.mix), level * jnp.roll(audio, 1, axis=0), 0)
  audio = jnp.where(chosen(keys[3], config.reverb), _in_room(keys[4], audio), audio)
  below = 10 ** (-jax.random.uniform(keys[5], rows, minval=30.0, maxval=70.0) / 20)
  noise = below * _noise(keys[6], audio.shape)
  loud = jnp.sqrt(jnp.square(audio).mean(1, keepdims=True))
  audio = audio + jnp.where(chosen(keys[7], config.noise), noise * loud, 0)
  audio = audio * 10 ** (-jax.random.uniform(keys[8], rows, maxval=config.gain) / 20)
  return audio / jnp.maximum(jnp.abs(audio).max(1, keepdims=True), 1)


def change_mel(key: jax.Array, mel: jax.Array, features: MelConfig, config: AugmentationConfig) -> jax.Array:
  """Log-mel [B, T, D] -> as a model might have predicted it."""
  keys = jax.random.split(key, 6)
  rows = (mel.shape[0], 1, 1)
  weights = config.mel_blur * jax.random.uniform(keys[0], (2, *rows))
  blurred = _blurred(_blurred(mel, weights[0], 1), weights[1], 2)
  size = config.mel_noise * jax.random.uniform(keys[1], rows)
  changed = blurred + size * jax.random.normal(keys[2], mel.shape)
  chosen = jax.random.bernoulli(keys[3], config.mel_share, rows)
  return jnp.where(chosen, jnp.maximum(changed, np.log(features.floor)), mel)


def _resampled(audio, speed, samples):
  """Each row played `speed` [B, 1] times as fast, its first samples; linear between samples."""
  places = jnp.arange(samples) * speed
  whole = jnp.floor(places).astype(jnp.int32)
  part = places - whole
  at = lambda index: jnp.take_along_axis(audio, index, axis=1)
  return (1 - part) * at(whole) + part * at(whole + 1)


def _in_room(key, audio):
  """Each row with the decaying noise of a room of its own after it: 0.2 to 1 s to fall by 60 dB, 6 to 20 dB below."""
  keys = jax.random.split(key, 3)
  length, rows = 8000, (audio.shape[0], 1)
  fall = jax.random.uniform(keys[0], rows, minval=0.2, maxval=1.0) * 16000
  tail = jax.random.normal(keys[1], (audio.shape[0], length)) * 10 ** (-3 * jnp.arange(length) / fall)
  tail = tail / jnp.sqrt(jnp.square(tail).sum(1, keepdims=True))
  size = audio.shape[1] + length
  wet = jnp.fft.irfft(jnp.fft.rfft(audio, size) * jnp.fft.rfft(tail, size), size)[:, : audio.shape[1]]
  return audio + wet * 10 ** (-jax.random.uniform(keys[2], rows, minval=6.0, maxval=20.0) / 20)


def _noise(key, shape):
  """Rows of noise of unit power, their spectra falling by up to 6 dB an octave."""
  keys = jax.random.split(key)
  slope = jax.random.uniform(keys[0], (shape[0], 1))
  spectrum = jnp.fft.rfft(jax.random.normal(keys[1], shape)) / jnp.maximum(jnp.arange(shape[1] // 2 + 1), 1) ** slope
  noise = jnp.fft.irfft(spectrum, shape[1])
  return noise / jnp.sqrt(jnp.square(noise).mean(1, keepdims=True))


def _blurred(x, weight, axis):
  edges = [(1, 1) if each == axis else (0, 0) for each in range(x.ndim)]
  padded = jnp.pad(x, edges, mode='edge')
  part = lambda start: jax.lax.slice_in_dim(padded, start, start + x.shape[axis], axis=axis)
  return (x + weight / 2 * (part(0) + part(2))) / (1 + weight)
