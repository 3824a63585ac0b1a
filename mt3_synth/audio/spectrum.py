"""Short-time spectra of any resolution, on the device; `mel` has those of the features."""

import jax
import jax.numpy as jnp
import numpy as np


def hann_frames(audio: jax.Array, hop: int, window: int) -> jax.Array:
  """Whole frames of audio [..., S] under a periodic Hann window, one each `hop`: [..., (S - window) // hop + 1, window]."""
  frames = (audio.shape[-1] - window) // hop + 1
  overlap = -(-window // hop)
  # Shifted views of blocks of one hop: much faster than a gather, and than its gradient.
  padded = jnp.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(0, max((frames + overlap - 1) * hop - audio.shape[-1], 0))])
  blocks = padded[..., : (frames + overlap - 1) * hop].reshape(*audio.shape[:-1], frames + overlap - 1, hop)
  framed = jnp.concatenate([blocks[..., k : k + frames, :] for k in range(overlap)], axis=-1)[..., :window]
  return framed * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)


def power(audio: jax.Array, fft: int, hop: int, window: int) -> jax.Array:
  """|FFT|^2 of `hann_frames`: [..., T, fft / 2 + 1]."""
  spectrum = jnp.fft.rfft(hann_frames(audio, hop, window), fft)
  return spectrum.real**2 + spectrum.imag**2
