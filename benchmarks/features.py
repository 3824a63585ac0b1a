"""Hours of audio turned into log-mel features in a minute: the jitted function against plain numpy.

`python -m benchmarks features`
"""

import time

import jax
import numpy as np

from mt3_synth.audio.mel import log_mel, mel_basis, samples_for, window
from mt3_synth.config import MelConfig

ROWS, FRAMES = 16, 256  # a training batch: 16 crops of 5.12 s
RUNS = 10


def in_numpy(audio: np.ndarray, config: MelConfig, frames: int) -> np.ndarray:
  """What `log_mel` computes, written plainly.  audio: int16 [B, S] -> [B, frames, D]."""
  index = np.arange(frames)[:, None] * config.hop + np.arange(config.window)
  spectrum = np.fft.rfft((audio / np.float32(32768))[:, index] * window(config), config.fft)
  return np.log(np.maximum(np.abs(spectrum).astype(np.float32) @ mel_basis(config), config.floor))


def run() -> dict:
  """Measures both, the best of some runs each.

  Returns:
    hours of audio a minute of both, their ratio, and the largest difference in log units.
  """
  config = MelConfig()
  audio = np.random.default_rng(0).integers(-20000, 20000, (ROWS, samples_for(FRAMES, config))).astype(np.int16)
  ours = jax.jit(lambda audio: log_mel(audio, config, FRAMES))
  on_device = jax.device_put(audio)
  difference = np.abs(np.asarray(ours(on_device)) - in_numpy(audio, config, FRAMES)).max()
  fast = best_seconds(lambda: ours(on_device).block_until_ready())
  plain = best_seconds(lambda: in_numpy(audio, config, FRAMES), runs=3)
  hours = ROWS * FRAMES / config.frames_per_second / 3600
  return {
    'numpy_audio_hours_per_minute': 60 * hours / plain,
    'jax_audio_hours_per_minute': 60 * hours / fast,
    'ratio': plain / fast,
    'largest_difference': float(difference),
  }


def best_seconds(function, runs: int = RUNS) -> float:
  """The time of the fastest of some calls, after one that is not counted."""
  function()
  times = []
  for _ in range(runs):
    start = time.perf_counter()
    function()
    times.append(time.perf_counter() - start)
  return min(times)
