"""Waveform -> log-mel spectrogram, and its scaling to [-1, 1].

Frame t covers the samples [t hop, t hop + window), zeros past the end, so S samples give ceil(S / hop) frames.  The windows of the last
frames of a segment reach beyond it: to get the frames of the whole recording, slice `samples_for(frames)` samples (what `cut` does) and
ask `log_mel` for `frames` of them.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import MelConfig
from mt3_synth.errors import InputError

_DEFAULT = MelConfig()
_BLOCK = 1024  # frames that `log_mel_in_blocks` computes at a time


def log_mel(audio, config: MelConfig = _DEFAULT, frames: int | None = None) -> jax.Array:
  """The natural logarithm of mel-band magnitudes.

  Args:
    audio: [..., S] mono samples in [-1, 1] (any float type), or int16.
    config: the frame, the bands and the floor.
    frames: compute this many from the start, silence being appended where S is short; ceil(S / hop) when None.

  Returns:
    float32 [..., T, D] >= ln(config.floor).  The window is a periodic Hann; bands are triangles on the HTK scale.

  Raises:
    InputError: audio is of another integer type, or has no axis.
  """
  audio = jnp.asarray(audio)
  if audio.ndim == 0:
    raise InputError('audio is a scalar; expected samples [..., S]')
  if audio.dtype == jnp.int16:
    audio = audio.astype(jnp.float32) / 32768
  elif jnp.issubdtype(audio.dtype, jnp.floating):
    audio = audio.astype(jnp.float32)
  else:
    raise InputError(f'audio is {audio.dtype}; expected floats in [-1, 1] or int16')
  # On CPUs rfft takes half to a third of the time of the same transform as a matrix product, also with its symmetries folded.
  magnitude = jnp.abs(jnp.fft.rfft(framed(audio, config, frames) * window(config), config.fft))
  # HIGHEST: the default precision of accelerators (bfloat16 or TF32 passes) is not enough for quiet bands.
  mel = jnp.matmul(magnitude, mel_basis(config), precision=jax.lax.Precision.HIGHEST)
  return jnp.log(jnp.maximum(mel, config.floor))


def log_mel_in_blocks(audio: np.ndarray, config: MelConfig = _DEFAULT) -> np.ndarray:
  """`log_mel` of a recording [S] of any length, block by block: one program serves all lengths, and memory does not grow with them."""
  frames = -(-len(audio) // config.hop)
  blocks = [_block(cut(audio, start, _BLOCK, config), config) for start in range(0, frames, _BLOCK)]
  return np.concatenate([np.zeros((0, config.bands), np.float32), *map(np.asarray, blocks)])[:frames]


@functools.partial(jax.jit, static_argnames='config')
def _block(audio, config):
  return log_mel(audio, config, _BLOCK)


def framed(audio: jax.Array, config: MelConfig, frames: int | None = None) -> jax.Array:
  """[..., S] -> overlapping [..., T, window], T as for `log_mel`.  Shifted views of blocks of one hop: much faster than a gather."""
  frames = -(-audio.shape[-1] // config.hop) if frames is None else frames
  overlap = -(-config.window // config.hop)
  audio = audio[..., : samples_for(frames, config)]
  missing = (frames + overlap - 1) * config.hop - audio.shape[-1]
  audio = jnp.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(0, missing)])
  blocks = audio.reshape(*audio.shape[:-1], frames + overlap - 1, config.hop)
  framed = jnp.concatenate([blocks[..., k : k + frames, :] for k in range(overlap)], axis=-1)
  return framed[..., : config.window]


def samples_for(frames: int, config: MelConfig = _DEFAULT) -> int:
  """How many samples `frames` consecutive frames look at."""
  return (frames - 1) * config.hop + config.window if frames else 0


def cut(audio: np.ndarray, start: int, frames: int, config: MelConfig = _DEFAULT) -> np.ndarray:
  """The samples behind frames [start, start + frames) of a recording.

  Args:
    audio: [..., S], any type.
    start: the first frame, >= 0.
    frames: how many; what lies past the end of the recording is silence.
    config: the hop and the window.

  Returns:
    [..., samples_for(frames)], of audio's type: `log_mel(cut(audio, start, T), frames=T)` equals the frames of the whole recording.  A
    view of audio where that reaches far enough.
  """
  length = samples_for(frames, config)
  part = audio[..., start * config.hop : start * config.hop + length]
  missing = length - part.shape[-1]
  return np.pad(part, [(0, 0)] * (part.ndim - 1) + [(0, missing)]) if missing else part


def scale(mel, config: MelConfig = _DEFAULT) -> Any:
  """Log-mel (numpy or jax) -> the same shape and kind, [ln floor, log_ceiling] mapped linearly to [-1, 1] and clipped there."""
  low, high = math.log(config.floor), config.log_ceiling
  return ((mel - low) * (2 / (high - low)) - 1).clip(-1, 1)


def unscale(scaled, config: MelConfig = _DEFAULT) -> Any:
  """[-1, 1] -> log-mel, the inverse of `scale` (values outside [-1, 1] are not clipped)."""
  low, high = math.log(config.floor), config.log_ceiling
  return (scaled + 1) * ((high - low) / 2) + low


@functools.cache
def window(config: MelConfig = _DEFAULT) -> np.ndarray:
  """The periodic Hann window, float32 [config.window]."""
  return _frozen(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.window) / config.window))


@functools.cache
def mel_basis(config: MelConfig = _DEFAULT) -> np.ndarray:
  """Weights from FFT magnitudes to mel bands, float32 [fft / 2 + 1, D], read-only.

  Triangles whose sides are straight on the HTK mel scale, 1127 ln(1 + f / 700 Hz), with peaks of height 1.  The constant (0 Hz) has no
  weight.  Equal to `tf.signal.linear_to_mel_weight_matrix` up to its float32 rounding.

  Raises:
    InputError: the configuration can't be met (window longer than the FFT, bands outside [0, sample_rate / 2]).
  """
  if not 0 < config.hop <= config.window <= config.fft:
    raise InputError(f'mel: hop {config.hop}, window {config.window}, fft {config.fft}; expected 0 < hop <= window <= fft')
  if not 0 <= config.low_hz < config.high_hz <= config.sample_rate / 2:
    raise InputError(
      f'mel: bands from {config.low_hz} to {config.high_hz} Hz; expected to lie in order within 0 to {config.sample_rate / 2} Hz'
    )
  mels = _hz_to_mel(np.linspace(0, config.sample_rate / 2, config.fft // 2 + 1))[:, None]
  edges = np.linspace(_hz_to_mel(config.low_hz), _hz_to_mel(config.high_hz), config.bands + 2)
  lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
  basis = np.maximum(0, np.minimum((mels - lower) / (centre - lower), (upper - mels) / (upper - centre)))
  return _frozen(basis)


def _hz_to_mel(hz):
  return 1127 * np.log1p(np.asarray(hz) / 700)


def _frozen(array: np.ndarray) -> np.ndarray:
  array = array.astype(np.float32)
  array.flags.writeable = False
  return array
