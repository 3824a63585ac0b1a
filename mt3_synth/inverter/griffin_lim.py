"""Griffin-Lim: sound whose mel spectrogram is the given one, found by alternating projections, without training.

Fast Griffin-Lim (Perraudin, Balazs, Sondergaard 2013: momentum on the consistent spectrogram), with two additions for mel input:
- the linear magnitudes are not fixed in advance: each iteration takes those of the current sound and moves them to the given mel by one
  multiplicative update, since a mel band only tells the sum over its bins (the idea of Masuyama, Ueno, Ono 2023, here by the updates of
  Lee, Seung 2001 for the Kullback-Leibler divergence);
- phases start from the frequencies of spectral peaks (Beauregard, Harish, Wyse 2015), so nothing is random.
"""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import MelConfig
from mt3_synth.inverter import check_mel
from mt3_synth.inverter.spectra import nearest_peaks, overlap_add, spread, stft, towards

CHUNK = 1024  # frames inverted at a time
OVERLAP = 16  # frames of the chunk before that a chunk begins with
_SHORTEST = 64  # shorter pieces are padded to this; longer ones to the next power of two, up to CHUNK
_FIRST_UPDATES = 20  # of the magnitudes before the first iteration


@dataclass(frozen=True)
class GriffinLim:
  """An `Inverter` that needs no checkpoint.

  Long pieces are inverted in chunks of CHUNK frames, one after the other: each begins with sound of the chunk before it, held fixed and
  then crossfaded, so phases continue across the seam.  Device memory is therefore bounded, about 25 MB times B.  T is padded to a few
  lengths, so any T is served by at most five compiled programs for a B.

  Attributes:
    mel: the features' configuration.
    iterations: more is closer and slower.
    momentum: 0 is plain Griffin-Lim; above 1 it may not converge.
    mel_updates: updates of the magnitudes towards the mel in each iteration; 0 keeps the first estimate, as is usual for Griffin-Lim.
  """

  mel: MelConfig = field(default_factory=MelConfig)
  iterations: int = 64
  momentum: float = 0.99
  mel_updates: int = 1

  def __call__(self, mel) -> np.ndarray:
    """Inverts [B, T, D] log-mel to float32 [B, T hop]; see `Inverter`."""
    return np.concatenate(list(self.stream([mel])), axis=1)

  def stream(self, mels: Iterable) -> Iterator[np.ndarray]:
    """Inverts parts [B, T_i, D] that follow one another, each chunk as soon as it is whole; see `Inverter`."""
    waiting, known = None, None
    for mel in mels:
      mel = check_mel(mel, self.mel.bands)
      waiting = mel if waiting is None else np.concatenate([waiting, mel], axis=1)
      while waiting.shape[1] > CHUNK:
        sound = self._chunk(waiting[:, :CHUNK], known)
        known = sound[:, -OVERLAP * self.mel.hop :]
        waiting = waiting[:, CHUNK - OVERLAP :]
        yield sound[:, : -OVERLAP * self.mel.hop]
    if waiting is not None:
      yield self._chunk(waiting, known)

  def _chunk(self, mel, known):
    rows, valid, _ = mel.shape
    mel = np.pad(mel, [(0, 0), (0, _padded(valid) - valid), (0, 0)], constant_values=np.log(self.mel.floor))
    begins = np.zeros((rows, OVERLAP * self.mel.hop), np.float32) if known is None else known
    return np.asarray(_invert(mel, valid, begins, known is not None, self))[:, : valid * self.mel.hop]


def _padded(frames: int) -> int:
  return max(_SHORTEST, 1 << (frames - 1).bit_length())


@functools.partial(jax.jit, static_argnames='how')
def _invert(mel, valid, known, has_known, how: GriffinLim):
  """One chunk: mel [B, T, D], of which `valid` frames count, -> [B, T hop].  It begins as `known` [B, OVERLAP hop] if has_known."""
  config, frames = how.mel, mel.shape[1]
  # Held for the first half, given up before the end of `known`, which was made without seeing what follows.
  hold = np.interp(np.arange(frames * config.hop) / (OVERLAP * config.hop), [1 / 2, 3 / 4], [1, 0]).astype(np.float32)
  hold = hold * has_known
  known = jnp.pad(known, [(0, 0), (0, frames * config.hop - known.shape[-1])])
  silent = jnp.arange(frames * config.hop) >= valid * config.hop

  def sound(spectrum):
    audio = overlap_add(spectrum, config)
    return jnp.where(silent, 0, audio + hold * (known - audio))

  target = jnp.where(mel > np.log(config.floor) + 1e-3, jnp.exp(mel), 0)
  magnitude = towards(spread(target, config), target, config, _FIRST_UPDATES)

  def iterate(_, state):
    spectrum, before, magnitude = state
    consistent = stft(sound(spectrum), config)
    if how.mel_updates:
      magnitude = towards(jnp.maximum(jnp.abs(consistent), 1e-6), target, config, how.mel_updates)
    ahead = consistent + how.momentum * (consistent - before)
    return magnitude * ahead / jnp.maximum(jnp.abs(ahead), 1e-8), consistent, magnitude

  phase = _first_phases(magnitude, jnp.angle(stft(known, config)), has_known, config)
  spectrum = magnitude * jnp.exp(1j * phase)
  spectrum, _, _ = jax.lax.fori_loop(0, how.iterations, iterate, (spectrum, jnp.zeros_like(spectrum), magnitude))
  return sound(spectrum)


def _first_phases(magnitude, known, has_known, config):
  """Phases [B, T, F] that turn at the frequency of the nearest spectral peak; the first frames' are `known` [B, T, F] if has_known."""
  bins = jnp.arange(magnitude.shape[-1])
  below = jnp.pad(magnitude, [(0, 0), (0, 0), (1, 0)])[..., :-1]
  above = jnp.pad(magnitude, [(0, 0), (0, 0), (0, 1)])[..., 1:]
  # The top of the parabola through a peak and its neighbours.
  offset = 0.5 * (below - above) / jnp.minimum(below - 2 * magnitude + above, -1e-9)
  nearest = nearest_peaks(magnitude)
  frequency = jnp.take_along_axis(bins + jnp.where(nearest == bins, jnp.clip(offset, -0.5, 0.5), 0), nearest, axis=2)
  turns = jnp.cumsum(frequency * (config.hop / config.fft) % 1, axis=1)  # whole turns dropped: float32 keeps the rest exact enough
  # Bins beside a peak are in phase with it at the centre of the window, not at its start.
  lag = (bins - frequency) * (config.window / 2 / config.fft)
  anchor = OVERLAP // 2
  since = turns - turns[:, anchor : anchor + 1]
  follows = known[:, anchor : anchor + 1] + 2 * jnp.pi * (since - lag + lag[:, anchor : anchor + 1])
  continued = jnp.where(jnp.arange(magnitude.shape[1])[:, None] <= anchor, known, follows)
  return jnp.where(has_known, continued, 2 * jnp.pi * (turns - lag))
