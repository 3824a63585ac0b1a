"""The trained inverter: a generator's folder as an `Inverter`."""

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import InverterConfig, MelConfig
from mt3_synth.errors import InputError
from mt3_synth.inverter import check_mel
from mt3_synth.inverter.generator import Generator, reach, waveform
from mt3_synth.models.pretrained import load_folder

CHUNK = 512  # frames made sound at a time
_SHORTEST = 64  # shorter pieces are padded to this; longer ones to the next power of two, up to CHUNK


class GanInverter:
  """An `Inverter` that `mt3-synth train` has trained.

  Long pieces go in chunks: each is heard with as much to either side as the network looks at, and takes up the phases where the chunk
  before it left them, so the chunks joined are the sound of the whole but for rounding.  Memory does not grow with the piece.
  """

  def __init__(self, folder: str | Path, mel: MelConfig | None = None):
    """Loads a folder of `mt3-synth export` or of a training run.

    Args:
      folder: the inverter's.
      mel: of the features that are to be inverted.

    Raises:
      InputError: the folder holds no whole inverter, or one of other features than `mel`.
    """
    self.config, self._params = load_inverter(folder)
    self.mel = self.config.mel
    if mel is not None and mel != self.mel:
      raise InputError(f'{folder}: an inverter of {self.mel}; the model gives {mel}; give another, or griffin_lim')

  def __call__(self, mel) -> np.ndarray:
    """Inverts [B, T, D] log-mel to float32 [B, T hop]; see `Inverter`."""
    return np.concatenate(list(self.stream([mel])), axis=1)

  def stream(self, mels: Iterable) -> Iterator[np.ndarray]:
    """Inverts parts [B, T_i, D] that follow one another, each chunk as soon as what follows it is known; see `Inverter`."""
    hearing, listening = reach(self.config.generator)
    waiting, at, phases = None, 0, None  # at: frames of the piece before `waiting`, hearing + listening of them kept
    side = hearing + listening
    for mel in mels:
      mel = check_mel(mel, self.mel.bands)
      if waiting is None:
        waiting = np.zeros((len(mel), side, mel.shape[2]), np.float32)
        phases = np.zeros((len(mel), self.mel.fft // 2 + 1), np.float32)
        at = -side
      waiting = np.concatenate([waiting, mel], axis=1)
      while waiting.shape[1] > 2 * side + CHUNK:
        sound, phases = self._chunk(waiting[:, : 2 * side + CHUNK], at, None, phases, CHUNK)
        yield sound
        waiting, at = waiting[:, CHUNK:], at + CHUNK
    while waiting is not None and waiting.shape[1] > side:
      left = waiting.shape[1] - side
      frames = min(max(_SHORTEST, 1 << (left - 1).bit_length()), CHUNK)
      window = waiting[:, : 2 * side + frames]
      missing = 2 * side + frames - window.shape[1]
      window = np.pad(window, [(0, 0), (0, missing), (0, 0)])
      sound, phases = self._chunk(window, at, at + waiting.shape[1], phases, frames)
      yield sound[:, : left * self.mel.hop]
      waiting, at = waiting[:, frames:], at + frames

  def _chunk(self, mel, at: int, end: int | None, phases, frames: int):
    """The sound of `frames` frames in the middle of mel [B, W, D], which begins at frame `at` of a piece of `end`; the next phases."""
    number = at + np.arange(mel.shape[1])
    valid = (number >= 0) & (number < (np.inf if end is None else end))
    sound, phases = _invert(self._params, mel, valid.astype(np.float32), phases, config=self.config, frames=frames)
    return np.asarray(sound), phases


@functools.partial(jax.jit, static_argnames=('config', 'frames'))
def _invert(params, mel, valid, phases, *, config: InverterConfig, frames: int):
  hearing, listening = reach(config.generator)
  stop = mel.shape[1] - hearing
  played = waveform(Generator(config), params, mel, valid, phases, hearing, stop)
  hop = config.mel.hop
  return played.sound[:, listening * hop : (listening + frames) * hop], played.turns[:, frames - 1]


def is_inverter(folder: str | Path) -> bool:
  """Whether a folder's configuration is one of an inverter; it need not be whole."""
  try:
    return 'generator' in json.loads((Path(folder).expanduser() / 'config.json').read_text())
  except (OSError, ValueError, TypeError):
    return False


def load_inverter(folder: str | Path) -> tuple[InverterConfig, Any]:
  """An inverter's configuration and float32 parameters.

  Raises:
    InputError: see `load_folder`.
  """
  config, params, _ = load_folder(folder, InverterConfig, parameter_shapes)
  return config, params


def initial_params(key: jax.Array, config: InverterConfig) -> Any:
  """Parameters to begin with."""
  generator, bins = Generator(config), config.mel.fft // 2 + 1
  return generator.init(key, jnp.zeros((1, 1, config.mel.bands)), jnp.ones(1), jnp.zeros((1, bins)))


def parameter_shapes(config: InverterConfig) -> Any:
  """The parameters of the inverter that `config` describes, as shapes."""
  return jax.eval_shape(functools.partial(initial_params, config=config), jax.random.key(0))
