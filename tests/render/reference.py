"""The reference for `mt3-synth render`: FluidSynth's own command line, and a measure of how alike two sounds are."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

SOUNDFONT = Path('/usr/share/sounds/sf2/FluidR3_GM.sf2')
RATE = 16000
_LAGS = range(0, 41, 4)  # samples: FluidSynth's player is late by a block of 64 at 44.1 kHz


def needs_fluidsynth():
  """Skips the test where FluidSynth's library or the soundfont is absent."""
  pytest.importorskip('fluidsynth', reason='pyfluidsynth or the FluidSynth library is not installed', exc_type=ImportError)
  if not SOUNDFONT.is_file():
    pytest.skip(f'{SOUNDFONT} not found: apt-get install fluid-soundfont-gm')


def play(midi: Path, folder: Path) -> np.ndarray:
  """What FluidSynth's command line makes of a file: mono at RATE."""
  if shutil.which('fluidsynth') is None:
    pytest.skip('the program fluidsynth is not installed')
  wav = folder / 'reference.wav'
  command = ['fluidsynth', '-ni', '-R', '0', '-C', '0', '-r', '44100', '-F', str(wav), str(SOUNDFONT), str(midi)]
  subprocess.run(command, check=True, capture_output=True)
  samples, _ = soundfile.read(wav, dtype='float32')
  return soxr.resample(samples.mean(axis=1), 44100, RATE)


def likeness(sound: np.ndarray, reference: np.ndarray) -> float:
  """Correlation of two log-mel spectrograms, at the lag of the reference where it is highest.

  Args:
    sound: at RATE.
    reference: at RATE, later by 0-2.5 ms; what goes beyond the shorter of the two is left out.
  """
  length = min(len(sound), len(reference)) - _LAGS[-1]
  ours = _log_mel(sound[:length])
  return max(float(np.corrcoef(ours.ravel(), _log_mel(reference[lag : lag + length]).ravel())[0, 1]) for lag in _LAGS)


def last_sound(samples: np.ndarray) -> float:
  """Seconds up to the last 10 ms that are within 60 dB of the loudest."""
  blocks = np.abs(samples[: len(samples) // 160 * 160]).reshape(-1, 160).max(axis=1)
  return float(np.flatnonzero(blocks > 1e-3 * blocks.max())[-1] + 1) / 100


def _log_mel(samples):
  frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::320] * np.hanning(640)
  mel = np.abs(np.fft.rfft(frames, 1024)) @ _filters()
  return np.log(np.maximum(mel, 1e-4 * mel.max()))


def _filters():
  """Triangles [513, 128], even on the HTK mel scale up to 8 kHz."""
  top = 2595 * np.log10(1 + RATE / 2 / 700)
  edges = 700 * (10 ** (np.linspace(0, top, 130) / 2595) - 1)
  at = np.arange(513)[:, None] * RATE / 1024
  rising = (at - edges[:-2]) / np.diff(edges)[:-1]
  falling = (edges[2:] - at) / np.diff(edges)[1:]
  return np.maximum(0, np.minimum(rising, falling))
