"""Griffin-Lim from mel: times real time, and how near the mel of its sound is, against a plain numpy version of the published algorithm.

`python -m benchmarks griffin_lim`
"""

import numpy as np

from benchmarks.features import best_seconds
from mt3_synth.audio.mel import log_mel, mel_basis, scale, window
from mt3_synth.config import MelConfig
from mt3_synth.inverter.griffin_lim import GriffinLim

SECONDS = 20
ITERATIONS = 64


def music(seconds: float, seed: int = 0) -> np.ndarray:
  """Decaying notes of seven partials, five a second, over a little noise: float32 [S] at 16 kHz."""
  rng = np.random.default_rng(seed)
  audio = 1e-3 * rng.standard_normal(int(seconds * 16000))
  for start in range(0, len(audio), 3200):
    time = np.arange(min(24000, len(audio) - start)) / 16000
    pitch = 440 * 2 ** (rng.integers(-24, 12) / 12)
    for partial in range(1, 8):
      audio[start : start + len(time)] += 0.1 / partial * np.sin(2 * np.pi * partial * pitch * time) * np.exp(-3 * time)
  return audio.astype(np.float32)


def in_numpy(mel: np.ndarray, config: MelConfig, iterations: int, momentum: float = 0.99, seed: int = 0) -> np.ndarray:
  """Fast Griffin-Lim as published, on magnitudes from the pseudo-inverse of the mel basis.  [T, D] -> [T hop]."""
  taper, size = window(config), config.window
  magnitude = np.maximum(np.exp(mel) @ np.linalg.pinv(mel_basis(config)), 0)
  frames, hop = len(mel), config.hop
  weight = np.full(frames * hop + size, 1e-8)
  for t in range(frames):
    weight[t * hop : t * hop + size] += taper**2

  def sound(spectrum):
    audio = np.zeros(frames * hop + size)
    for t, frame in enumerate(np.fft.irfft(spectrum, config.fft)[:, :size] * taper):
      audio[t * hop : t * hop + size] += frame
    return audio / np.maximum(weight, 1e-2)

  index = np.arange(frames)[:, None] * hop + np.arange(size)
  before = np.zeros(())
  spectrum = magnitude * np.exp(2j * np.pi * np.random.default_rng(seed).random(magnitude.shape))
  for _ in range(iterations):
    consistent = np.fft.rfft(sound(spectrum)[index] * taper, config.fft)
    ahead = consistent + momentum * (consistent - before)
    spectrum, before = magnitude * ahead / np.maximum(np.abs(ahead), 1e-8), consistent
  return sound(spectrum)[: frames * hop].astype(np.float32)


def run(seconds: float = SECONDS) -> dict:
  """Measures both with the same number of iterations.

  Returns:
    times real time of both and their ratio; the mean absolute difference between the given mel and that of the sound, in log units and in
    units of the scaled mel [-1, 1].
  """
  config = MelConfig()
  mel = np.asarray(log_mel(music(seconds), config))
  ours = GriffinLim(config, iterations=ITERATIONS)
  sounds = {'numpy': in_numpy(mel, config, ITERATIONS), 'ours': ours(mel[None])[0]}
  plain = best_seconds(lambda: in_numpy(mel, config, ITERATIONS), runs=1)
  fast = best_seconds(lambda: ours(mel[None]), runs=3)
  figures = {
    'iterations': ITERATIONS,
    'numpy_times_real_time': seconds / plain,
    'ours_times_real_time': seconds / fast,
    'ratio': plain / fast,
  }
  for name, audio in sounds.items():
    again = np.asarray(log_mel(audio, config))
    figures[f'{name}_mel_l1_log'] = float(np.abs(again - mel).mean())
    figures[f'{name}_mel_l1_scaled'] = float(np.abs(scale(again) - scale(mel)).mean())
  return figures
