"""One FluidSynth synthesizer, driven offline: a part as samples."""

import ctypes
import functools
import hashlib
import importlib
import math
from pathlib import Path

import numpy as np

from mt3_synth.errors import InputError
from mt3_synth.rendering.player_clock import BLOCK

SYNTHESIS_RATE = 44100  # Hz; where soundfonts are at home
_POLYPHONY = 4096  # voices: none is ever stolen
_GET_FLUIDSYNTH = 'install it with `apt-get install fluidsynth fluid-soundfont-gm` (Debian, Ubuntu) or `brew install fluid-synth` (macOS)'
_GET_SOUNDFONT = (
  'FluidR3_GM.sf2 comes with `apt-get install fluid-soundfont-gm` (Debian, Ubuntu), in /usr/share/sounds/sf2; '
  'elsewhere download any General MIDI soundfont (.sf2)'
)


def check_soundfont(path: Path) -> None:
  """Raises InputError unless `path` is a file that begins as a soundfont does."""
  try:
    with open(path, 'rb') as file:
      head = file.read(12)
  except OSError as e:
    raise InputError(f'soundfont {path}: {e.strerror or e}; {_GET_SOUNDFONT}') from None
  if head[:4] != b'RIFF' or head[8:12] not in (b'sfbk', b'sfpk'):
    raise InputError(f'soundfont {path}: not a soundfont (expected a RIFF file of kind sfbk, found {head!r}); {_GET_SOUNDFONT}')


def digest(path: Path) -> str:
  """SHA-256 of a file, in hexadecimal."""
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def library():
  """The module pyfluidsynth, with the native library behind it.

  Raises:
    InputError: one of the two is missing; the message says how to get it.
  """
  try:
    module = importlib.import_module('fluidsynth')
  except ModuleNotFoundError:
    raise InputError("rendering needs pyfluidsynth: `pip install 'mt3_synth[render]'`") from None
  except (ImportError, OSError) as e:
    raise InputError(f'the FluidSynth library was not found ({e}); {_GET_FLUIDSYNTH}') from None
  if not hasattr(module, '_fl') or not hasattr(module, 'Synth'):
    raise InputError('the installed module `fluidsynth` is another package; `pip uninstall fluidsynth && pip install pyfluidsynth`')
  return module


def version() -> str:
  """The native library's version, as '2.3.1'."""
  tell = library()._fl.fluid_version_str
  tell.restype = ctypes.c_char_p
  return tell().decode()


class Synthesizer:
  """A synthesizer with one soundfont, without reverb and chorus."""

  def __init__(self, soundfont: Path):
    """Loads the soundfont.

    Raises:
      InputError: no FluidSynth, or it can't load the file.
    """
    check_soundfont(soundfont)
    module = library()
    self._native = module._fl
    for level in range(5):  # FluidSynth tells the terminal what it thinks of a file: not through a progress bar
      self._native.fluid_set_log_function(level, None, None)
    self._module = module
    self._soundfont = soundfont
    self._holder = self._fresh()  # keeps FluidSynth's cache of the samples alive

  def _fresh(self):
    settings = {
      'synth.reverb.active': 0,
      'synth.chorus.active': 0,
      'synth.polyphony': _POLYPHONY,
      'synth.cpu-cores': 1,
    }
    synth = self._module.Synth(gain=0.2, samplerate=SYNTHESIS_RATE, channels=16, **settings)
    if synth.sfload(str(self._soundfont), 1) < 0:
      synth.delete()
      raise InputError(f'soundfont {self._soundfont}: FluidSynth cannot load it, it may be cut off; {_GET_SOUNDFONT}')
    return synth

  def play(self, events, seconds: float, tail: float) -> np.ndarray:
    """Plays one part from a fresh state.

    Args:
      events: (seconds, mido message), in order.
      seconds: the length of the song; what still sounds then is let go.
      tail: seconds of release that are kept after it; their last tenth fades to nothing.

    Returns:
      Mono float32 samples at SYNTHESIS_RATE, [round((seconds + tail) · rate)], the mean of left and right.
    """
    synth = self._fresh()
    try:
      self._handle = ctypes.c_void_p(synth.synth)
      return self._play(events, seconds, tail)
    finally:
      synth.delete()

  def _play(self, events, seconds, tail):
    native, handle = self._native, self._handle
    total = round((seconds + tail) * SYNTHESIS_RATE)
    blocks = -(-total // BLOCK)
    sound = np.zeros((blocks * BLOCK, 2), np.float32)
    at = 0
    for when, message in events:
      at = self._advance(sound, at, min(_block(when), blocks) * BLOCK)
      self._send(message)
    at = self._advance(sound, at, min(_block(seconds), blocks) * BLOCK)
    for channel in range(16):
      native.fluid_synth_cc(handle, channel, 64, 0)
      native.fluid_synth_cc(handle, channel, 66, 0)
      native.fluid_synth_all_notes_off(handle, channel)
    self._advance(sound, at, len(sound))
    mono = sound[:total].mean(axis=1)
    fade = min(round(0.1 * tail * SYNTHESIS_RATE), total)
    if fade:
      mono[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return mono

  def _advance(self, sound, at, until):
    if until > at and self._native.fluid_synth_get_active_voice_count(self._handle) > 0:  # else the silence is there already
      start = ctypes.c_void_p(sound[at:].ctypes.data)
      self._native.fluid_synth_write_float(self._handle, until - at, start, 0, 2, start, 1, 2)
    return max(at, until)

  def _send(self, message):
    native, handle = self._native, self._handle
    kind, channel = message.type, message.channel
    if kind == 'note_on' and message.velocity > 0:
      native.fluid_synth_noteon(handle, channel, message.note, message.velocity)
    elif kind in ('note_on', 'note_off'):
      native.fluid_synth_noteoff(handle, channel, message.note)
    elif kind == 'control_change':
      native.fluid_synth_cc(handle, channel, message.control, message.value)
    elif kind == 'program_change':
      native.fluid_synth_program_change(handle, channel, message.program)
    elif kind == 'pitchwheel':
      native.fluid_synth_pitch_bend(handle, channel, message.pitch + 8192)
    elif kind == 'aftertouch':
      native.fluid_synth_channel_pressure(handle, channel, message.value)
    elif kind == 'polytouch':
      native.fluid_synth_key_pressure(handle, channel, message.note, message.value)


def _block(seconds):
  """The block that an event goes before: late by 2.4 ms at most, just as much as FluidSynth's own player, which counts whole ms."""
  milliseconds = math.ceil(seconds * 1000 - 1e-6)
  return -(-milliseconds * SYNTHESIS_RATE // (1000 * BLOCK))


@functools.lru_cache(maxsize=1)
def synthesizer(soundfont: Path) -> Synthesizer:
  """This process's synthesizer: loading a soundfont takes longer than playing a short piece."""
  return Synthesizer(soundfont)
