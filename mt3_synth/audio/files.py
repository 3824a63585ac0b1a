"""Audio files: read as 16 kHz mono, written whole or not at all."""

import contextlib
import io
import os
import pathlib
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from mt3_synth.errors import InputError, InputWarning

SAMPLE_RATE = 16000
_FORMATS = {'.wav': 'WAV', '.flac': 'FLAC'}
_BLOCK = 1 << 20  # frames mixed down at a time, so that a long stereo recording is never whole in memory


class AudioError(InputError):
  """A recording can't be used.

  Attributes:
    reason: what is wrong in a word, to count by: one of 'missing', 'unreadable', 'truncated', 'empty', 'non-finite'.
  """

  def __init__(self, reason: str, message: str):
    super().__init__(message)
    self.reason = reason

  def __reduce__(self):
    return AudioError, (self.reason, str(self))


@dataclass(frozen=True)
class AudioHeader:
  """What a file says of itself."""

  sample_rate: int
  frames: int

  @property
  def seconds(self) -> float:
    return self.frames / self.sample_rate


def read_audio(path: str | os.PathLike, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
  """Reads any format libsndfile knows (WAV, FLAC, Ogg, MP3, AIFF ...).

  Args:
    path: the file.
    sample_rate: the rate wanted [Hz]; resampled with soxr where the file's differs.

  Returns:
    float32 [S], channels averaged, full scale at 1.

  Raises:
    AudioError: the file is missing, not audio, truncated, without samples, or holds NaN or infinite samples.
  """
  path = _existing(path)
  return _decode(path, str(path), path.stat().st_size, sample_rate)


def decode_audio(data: bytes, source: str, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
  """`read_audio` for a file held in memory; `source` names it in errors."""
  return _decode(io.BytesIO(data), source, len(data), sample_rate)


def read_header(path: str | os.PathLike) -> AudioHeader:
  """Rate and length of a file, without decoding it.

  Raises:
    AudioError: the file is missing or not audio.
  """
  path = _existing(path)
  with _opened(path, str(path), path.stat().st_size) as file:
    return AudioHeader(file.samplerate, file.frames)


def resample(audio: np.ndarray, source: str, rate: int, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
  """Floats [S] at `rate` Hz as float32 at `sample_rate`; `source` names them in errors.

  Raises:
    AudioError: there are no samples, or some are NaN or infinite.
  """
  if not len(audio):
    raise AudioError('empty', f'{source}: holds no samples; expected a recording: fetch or export it again')
  if not np.isfinite(audio).all():
    bad = np.sum(~np.isfinite(audio))
    raise AudioError('non-finite', f'{source}: {bad} samples are NaN or infinite; expected numbers within [-1, 1]: export it again')
  if rate != sample_rate:
    audio = soxr.resample(audio, rate, sample_rate)
  return audio.astype(np.float32, copy=False)


def read_audio_int16(path: str | os.PathLike, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
  """`read_audio` as int16 [S], full scale at 32768: what corpora keep; exact for 16-bit mono files of that rate."""
  return to_int16(read_audio(path, sample_rate))


def to_int16(audio: np.ndarray) -> np.ndarray:
  """Floats in [-1, 1] -> int16 of the same shape, rounded; what lies outside is clipped."""
  return np.clip(np.round(np.asarray(audio, np.float32) * 32768), -32768, 32767).astype(np.int16)


def write_audio(path: str | os.PathLike, audio: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
  """Writes 16-bit WAV or FLAC, by the suffix.  The file appears when it is complete: a failure leaves nothing behind.

  Args:
    path: ends in .wav or .flac; an existing file is replaced.
    audio: [S] floats in [-1, 1], or int16.  Louder floats are clipped, with an InputWarning.
    sample_rate: in Hz.

  Raises:
    InputError: the suffix is another, the folder can't be written to, or audio is not [S] finite samples.
  """
  with audio_writer(path, sample_rate) as write:
    write(audio)


@contextlib.contextmanager
def audio_writer(path: str | os.PathLike, sample_rate: int = SAMPLE_RATE) -> Iterator[Callable[[np.ndarray], None]]:
  """`write_audio` for sound that comes in parts: gives a function to call with each part [S].

  The path is tried at once, before any sound has to be made.
  """
  path = pathlib.Path(path)
  if path.suffix.lower() not in _FORMATS:
    raise InputError(f'{path}: cannot write {path.suffix or "a file without suffix"!r}; name it .wav or .flac')
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  loudest = loud = written = 0

  def write(audio: np.ndarray) -> None:
    nonlocal loudest, loud, written
    audio = np.asarray(audio)
    if audio.dtype != np.int16:
      _check(path, audio)
      loud += int(np.sum(np.abs(audio) > 1))
      loudest = max(loudest, float(np.abs(audio).max(initial=0)))
      audio = to_int16(audio)
    if audio.ndim != 1:
      raise InputError(f'{path}: audio has shape {list(audio.shape)}; expected mono samples [S]')
    file.write(audio)
    written += len(audio)

  try:
    with soundfile.SoundFile(part, 'w', sample_rate, 1, 'PCM_16', format=_FORMATS[path.suffix.lower()]) as file:
      yield write
    os.replace(part, path)
  except (OSError, soundfile.LibsndfileError) as e:
    reason = getattr(e, 'strerror', None) or getattr(e, 'error_string', e)
    if not path.parent.is_dir():
      reason = f'there is no folder {path.parent}'
    raise InputError(f'{path}: cannot be written ({reason}); choose a path in a folder that can be written to') from None
  finally:
    with contextlib.suppress(OSError):  # no such folder: then nothing was written
      part.unlink(missing_ok=True)
  if loud:
    warnings.warn(
      f'{path}: {loud} of {written} samples exceed full scale, by up to {20 * np.log10(loudest):.1f} dB: clipped; '
      'scale the audio down first',
      InputWarning,
      stacklevel=2,
    )


def _existing(path):
  path = pathlib.Path(path)
  if not path.is_file():
    fault = 'is a folder' if path.is_dir() else 'no such file'
    raise AudioError('missing', f'{path}: {fault}; expected an audio file: check the path')
  return path


@contextlib.contextmanager
def _opened(file, source, size):
  try:
    opened = soundfile.SoundFile(file)
  except soundfile.LibsndfileError as e:
    raise AudioError('unreadable', _undecodable(source, size, e)) from None
  with opened:
    yield opened


def _decode(file, source, size, sample_rate):
  with _opened(file, source, size) as opened:
    stated, rate, about = opened.frames, opened.samplerate, opened.extra_info
    try:
      blocks = [_mono(block) for block in opened.blocks(_BLOCK, dtype='float32', always_2d=True)]
    except soundfile.LibsndfileError as e:
      raise AudioError('truncated', _undecodable(source, size, e)) from None
  audio = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
  whole = _whole(stated, about)
  if len(audio) < 0.99 * whole:  # the stated length of an MP3 is approximate
    message = f'{source}: truncated: {len(audio)} samples of the {whole} its header states; fetch or export it again'
    raise AudioError('truncated', message)
  return resample(audio, source, rate, sample_rate)


def _mono(block):
  """[S, channels] -> [S].  Not numpy's mean, which along so short an axis takes four times as long as resampling."""
  return sum(block.T[1:], start=block[:, 0]) / np.float32(block.shape[1])


def _undecodable(source, size, error):
  return (
    f'{source}: cannot be decoded ({error.error_string.rstrip(".")}; {size} bytes); expected WAV, FLAC, Ogg, MP3 or AIFF: '
    'if it plays elsewhere convert it to WAV, if not fetch it again'
  )


def _check(path, audio):
  if not np.issubdtype(audio.dtype, np.floating):
    raise InputError(f'{path}: audio is {audio.dtype}; expected floats in [-1, 1] or int16')
  bad = np.sum(~np.isfinite(audio))
  if bad:
    raise InputError(f'{path}: {bad} of {len(audio)} samples are NaN or infinite; nothing was written')


def _whole(frames, about):
  """How many frames the file should hold: libsndfile shortens a cut-off WAV or AIFF silently, but its log tells."""
  cut = re.search(r'^\s*(?:data|SSND)\s*: (\d+) \(should be (\d+)\)', about, re.MULTILINE)
  if cut:
    stated, found = int(cut[1]), int(cut[2])
    if found < stated < 0x7FFFFFFF:  # larger: written to a pipe, of which the length was not known
      return frames * stated // max(found, 1) if frames else stated
  return frames
