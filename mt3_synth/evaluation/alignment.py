"""Do the notes stand where the recording has its onsets?  A check of corpora, by correlation over time."""

from typing import NamedTuple

import numpy as np

from mt3_synth.notes import Notes

RATE = 100  # steps a second
_HOP, _WINDOW = 160, 512  # samples at 16 kHz; a step is one hop
LONGEST_LAG = 0.5  # seconds that are searched, either way
LONGEST_DRIFT = 0.1  # seconds that each half is searched around the whole's lag: farther off, a repeated rhythm would mislead
FEWEST_ONSETS = 8  # fewer say nothing
LOW_SCORE = 0.15
LONG_LAG = 0.05  # seconds: the tolerance of an onset in transcription


class Alignment(NamedTuple):
  """How a song's notes lie on its sound.

  Attributes:
    lag: seconds by which the sound is late (negative: early) where the two agree best; NaN with too few onsets.
    score: their correlation there, at most 1.  About 0 for notes of another piece; 0.2 and more for matching ones.
    drift: seconds by which the lag grows from the song's first half to its second; NaN where one of them has too few onsets.
  """

  lag: float
  score: float
  drift: float

  @property
  def suspicious(self) -> str:
    """What a person should look at; empty where all is well or nothing can be said."""
    if np.isnan(self.lag):
      return ''
    if self.score < LOW_SCORE:
      return 'notes and sound hardly agree'
    if abs(self.lag) > LONG_LAG:
      return f'the sound is {abs(self.lag):.2f} s {"late" if self.lag > 0 else "early"}'
    if abs(self.drift) > LONG_LAG:
      return f'the sound drifts by {self.drift:+.2f} s'
    return ''


def align(audio: np.ndarray, notes: Notes) -> Alignment:
  """Compares onsets with spectral flux.

  Args:
    audio: int16 or float [S] at 16 kHz.
    notes: with times in seconds from its start.
  """
  flux, hits = spectral_flux(audio), _hits(notes, -(-len(audio) // _HOP))
  middle = len(flux) // 2
  lag, score = _best_lag(flux, hits, 0, LONGEST_LAG)
  if np.isnan(lag):
    return Alignment(lag, score, lag)
  (first, _), (second, _) = (_best_lag(flux[half], hits[half], lag, LONGEST_DRIFT) for half in (slice(middle), slice(middle, None)))
  return Alignment(lag, score, second - first)


def spectral_flux(audio: np.ndarray) -> np.ndarray:
  """How much louder the spectrum gets from step to step, [ceil(S / 160)] at RATE a second.

  The rise of log(1 + 100 magnitude) from 20 ms before, summed over the bins: sound that begins at a step raises that step.
  """
  audio = np.asarray(audio)
  scale = 32768 if audio.dtype == np.int16 else 1
  steps, before = -(-len(audio) // _HOP), 2
  # Windows end where their step's sound has begun, so that an onset is seen when it is there and not half a window early.
  padded = np.pad(audio.astype(np.float32) / scale, (_WINDOW - 2 * _HOP + before * _HOP, (steps + 2) * _HOP - len(audio)))
  frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][: steps + before]
  flux = np.empty(steps, np.float32)
  block = 4096  # bounds memory for long recordings
  for start in range(0, steps, block):
    loud = np.log1p(100 * np.abs(np.fft.rfft(frames[start : start + block + before] * np.hanning(_WINDOW).astype(np.float32))))
    flux[start : start + block] = np.maximum(loud[before:] - loud[:-before], 0).sum(axis=1)
  return flux


def _hits(notes: Notes, steps: int) -> np.ndarray:
  at = np.round(notes.onset * RATE).astype(int)
  inside = (at >= 0) & (at < steps)
  return np.minimum(np.bincount(at[inside], minlength=steps), 4).astype(np.float32)  # a chord is one onset, but a surer one


def _best_lag(flux: np.ndarray, hits: np.ndarray, around: float, within: float) -> tuple[float, float]:
  """The lag [s] of the flux behind the hits with the highest correlation, of those `within` seconds `around` one, and that correlation."""
  if np.count_nonzero(hits) < FEWEST_ONSETS or not flux.any():
    return float('nan'), 0.0
  # An onset is known to a step or two, and its flux is as wide.
  spread = np.convolve(hits, [0.5, 1, 0.5], 'same')
  a, b = spread - spread.mean(), flux - flux.mean()
  size = 1 << (2 * len(a) - 1).bit_length()
  correlation = np.fft.irfft(np.conj(np.fft.rfft(a, size)) * np.fft.rfft(b, size), size)
  lags = np.arange(round((around - within) * RATE), round((around + within) * RATE) + 1)
  lags = lags[abs(lags) < len(a)]
  of_lag = correlation[lags] / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9)
  best = int(np.argmax(of_lag))
  return float(lags[best]) / RATE, float(of_lag[best])
