"""Distances between spectrograms, and between sounds by their spectrograms.

Sounds go through in blocks of frames, so that memory does not grow with their length, several blocks at a time.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from mt3_synth.errors import InputError

RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))  # FFT, hop, window [samples] of `mr_stft`
SCALES = (2048, 1024, 512, 256, 128, 64)  # FFT and window [samples] of `multi_scale_spectral`, which hops a quarter of it
_POWER_FLOOR = 1e-8  # of `mr_stft`
_LOG_OFFSET = 1e-5  # of `multi_scale_spectral`
_BLOCK = 1 << 17  # samples of a block's frames: they and their transforms stay in a processor's cache

_pool: Callable[[], ThreadPoolExecutor] = cache(lambda: ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix='spectral'))


def mel_l1(target: np.ndarray, predicted: np.ndarray) -> float:
  """Mean absolute difference of two log-mels [T, D], in natural logarithm units; the longer is cut."""
  target, predicted = _same_length(target, predicted)
  return float(np.abs(target - predicted).mean())


def correlation(target: np.ndarray, predicted: np.ndarray) -> float:
  """Pearson's correlation of all values of two log-mels [T, D]; the longer is cut.  Not a number where one is constant."""
  target, predicted = _same_length(target, predicted)
  with np.errstate(invalid='ignore', divide='ignore'):
    return float(np.corrcoef(target.ravel(), predicted.ravel())[0, 1])


def mr_stft(target: np.ndarray, predicted: np.ndarray) -> float:
  """Multi-resolution STFT distance of two sounds float [S] in [-1, 1]; the longer is cut.

  Yamamoto, Song, Kim (2020), as the library auraloss has it: the mean over RESOLUTIONS of the spectral convergence
  |S - P|_F / |S|_F and the mean |ln S - ln P|, S and P magnitudes of Hann windows centred on the hops (the sound
  mirrored at its ends), their squares at least 1e-8.

  Raises:
    InputError: fewer than two samples, or values that are not finite.
  """
  target, predicted = _sounds(target, predicted)
  total = 0.0
  for fft, hop, window in RESOLUTIONS:
    # The window stands in the middle of its FFT frame; which zeros are around it does not change magnitudes.
    lead = (fft - window) // 2
    a, b = (np.pad(each, fft // 2, mode='reflect')[lead:] for each in (target, predicted))
    sums = _sum_blocks(_stft_sums, a, b, len(target) // hop + 1, fft, hop, window)
    apart, power, logs = sums[:3]
    total += np.sqrt(apart / power) + logs / sums[3]
  return float(total / len(RESOLUTIONS))


def multi_scale_spectral(target: np.ndarray, predicted: np.ndarray) -> float:
  """Multi-scale spectral distance of two sounds float [S] in [-1, 1]; the longer is cut.

  Engel, Hantrakul, Gu, Roberts (2020), as the library DDSP has it: the sum over SCALES of mean |S - P| and mean
  |ln(S + 1e-5) - ln(P + 1e-5)|, S and P magnitudes of Hann windows that begin at the hops, zeros past the end.

  Raises:
    InputError: fewer than two samples, or values that are not finite.
  """
  target, predicted = _sounds(target, predicted)
  total = 0.0
  for fft in SCALES:
    hop = fft // 4
    frames = -(-len(target) // hop)
    a, b = (np.pad(each, (0, (frames - 1) * hop + fft - len(each))) for each in (target, predicted))
    apart, logs, count = _sum_blocks(_scale_sums, a, b, frames, fft, hop, fft)
    total += (apart + logs) / count
  return float(total)


def _stft_sums(target, predicted):
  """Of two blocks of power: sums of |S - P|^2, S^2, |ln S - ln P|, and how many values."""
  target, predicted = np.maximum(target, np.float32(_POWER_FLOOR)), np.maximum(predicted, np.float32(_POWER_FLOOR))
  logs = np.abs(np.log(target / predicted)).sum(dtype=np.float64) / 2
  return np.square(np.sqrt(target) - np.sqrt(predicted)).sum(dtype=np.float64), target.sum(dtype=np.float64), logs, target.size


def _scale_sums(target, predicted):
  """Of two blocks of power: sums of |S - P| and of their logarithms' difference, and how many values."""
  target, predicted = np.sqrt(target), np.sqrt(predicted)
  offset = np.float32(_LOG_OFFSET)
  logs = np.abs(np.log((target + offset) / (predicted + offset))).sum(dtype=np.float64)
  return np.abs(target - predicted).sum(dtype=np.float64), logs, target.size


def _sum_blocks(sums: Callable, target, predicted, frames: int, fft: int, hop: int, window: int) -> np.ndarray:
  """`sums` of the power of all frames, added up block by block."""
  step = max(_BLOCK // fft, 1)
  blocks = [(start, min(start + step, frames)) for start in range(0, frames, step)]
  power = lambda audio, block: power_spectrum(audio, block[0], block[1], fft, hop, window)
  of_block = lambda block: np.array(sums(power(target, block), power(predicted, block)))
  return np.sum(list(_pool().map(of_block, blocks)), axis=0)


def power_spectrum(audio: np.ndarray, first: int, last: int, fft: int, hop: int, window: int) -> np.ndarray:
  """|FFT|^2 of frames [first, last) of float32 audio [S], frame t beginning at sample t hop: float32 [last - first, fft / 2 + 1]."""
  frames = np.lib.stride_tricks.sliding_window_view(audio[first * hop : (last - 1) * hop + window], window)[::hop]
  spectrum = np.fft.rfft(frames * hann(window), fft)
  return np.square(spectrum.real) + np.square(spectrum.imag)


@cache
def hann(length: int) -> np.ndarray:
  """The periodic Hann window, float32 [length]."""
  window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
  window.flags.writeable = False
  return window


def _sounds(*sounds: np.ndarray) -> Sequence[np.ndarray]:
  """float32 of the same length."""
  sounds = tuple(np.asarray(each, np.float32) for each in sounds)
  length = min(map(len, sounds))
  if length < 2:
    raise InputError(f'sounds of {[len(each) for each in sounds]} samples; expected at least 2')
  if not all(np.isfinite(each).all() for each in sounds):
    raise InputError('the sound has samples that are NaN or infinite; expected numbers within [-1, 1]')
  return [each[:length] for each in sounds]


def _same_length(target, predicted):
  length = min(len(target), len(predicted))
  return target[:length], predicted[:length]
