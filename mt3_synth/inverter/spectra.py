"""Linear spectra between mel and sound: magnitudes that agree with a mel, spectra of a sound, the sound of a spectrum."""

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.audio.mel import framed, mel_basis, window

_HIGHEST = jax.lax.Precision.HIGHEST


def spread(target, config):
  """A first guess of magnitudes [..., fft / 2 + 1]: each bin the average of its bands, each band spread evenly over its bins."""
  basis = mel_basis(config)
  share = basis / np.maximum(basis.sum(0), 1e-9) / np.maximum(basis.sum(1, keepdims=True), 1e-9)
  return jnp.maximum(jnp.matmul(target, share.T, precision=_HIGHEST), 1e-8)


def towards(magnitude, target, config, updates):
  """Moves magnitudes to ones whose mel is `target`, keeping their shape within bands: Lee and Seung's update, which stays positive."""
  basis = mel_basis(config)
  weight = np.maximum(basis.sum(1), 1e-3)
  for _ in range(updates):
    ratio = target / jnp.maximum(jnp.matmul(magnitude, basis, precision=_HIGHEST), 1e-8)
    magnitude = magnitude * jnp.matmul(ratio, basis.T / weight, precision=_HIGHEST)
  return magnitude


def nearest_peaks(magnitude):
  """int [..., F]: for each bin of [..., F] the bin of the nearest peak over frequency, the lower of two; a peak is its own."""
  bins = jnp.arange(magnitude.shape[-1])
  edges = [(0, 0)] * (magnitude.ndim - 1)
  below = jnp.pad(magnitude, [*edges, (1, 0)])[..., :-1]
  above = jnp.pad(magnitude, [*edges, (0, 1)])[..., 1:]
  is_peak = (magnitude >= below) & (magnitude > above)
  last, axis = len(bins) - 1, magnitude.ndim - 1
  left = jax.lax.cummax(jnp.where(is_peak, bins, -2 * last), axis=axis)
  right = jax.lax.cummin(jnp.where(is_peak, bins, 3 * last), axis=axis, reverse=True)
  return jnp.clip(jnp.where(bins - left <= right - bins, left, right), 0, last)


def stft(audio, config):
  """[..., T hop] -> complex [..., T, F], as `log_mel` sees it."""
  return jnp.fft.rfft(framed(audio, config) * window(config), config.fft)


def overlap_add(spectrum, config, valid=None):
  """The sound [..., T hop] nearest to a spectrum in least squares (Griffin, Lim 1984), faded where no window weighs anything.

  Args:
    spectrum: complex [..., T, F].
    config: of the frames.
    valid: [T], which frames count; all when None.
  """
  frames = jnp.fft.irfft(spectrum, config.fft)[..., : config.window] * window(config)
  weight = np.broadcast_to(window(config) ** 2, (spectrum.shape[-2], config.window))
  if valid is not None:
    frames, weight = frames * valid[:, None], weight * valid[:, None]
  return _add_blocks(frames, config.hop) / jnp.maximum(_add_blocks(weight, config.hop), 1e-2)


def _add_blocks(frames, hop):
  """Overlapping [..., T, window] -> their sum [..., T hop], with what lies beyond cut off."""
  count, length = frames.shape[-2:]
  lead = [(0, 0)] * (frames.ndim - 2)
  total = jnp.zeros((*frames.shape[:-2], count, hop), jnp.float32)
  for k in range(-(-length // hop)):
    block = frames[..., : max(count - k, 0), k * hop : (k + 1) * hop]
    total = total + jnp.pad(block, [*lead, (count - block.shape[-2], 0), (0, hop - block.shape[-1])])
  return total.reshape(*frames.shape[:-2], count * hop)
