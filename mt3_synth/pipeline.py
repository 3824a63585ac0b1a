"""MIDI in, audio out: a checkpoint, an inverter, and the walk along pieces, segment after segment."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mt3_synth import playing
from mt3_synth.compilation import cache_compiled_programs
from mt3_synth.config import ModelConfig, SamplerConfig
from mt3_synth.diffusion import samplers
from mt3_synth.errors import InputError
from mt3_synth.interop.loading import load_model
from mt3_synth.inverter import Inverter
from mt3_synth.inverter.choosing import choose_inverter
from mt3_synth.models.drawing import draw_in_parts
from mt3_synth.models.model import Model, make_model
from mt3_synth.notes import Notes, decode_segments, read_midi
from mt3_synth.notes.midi_processor import FRAMES, PUBLISHED

BATCH_SIZE = 8  # pieces of a list that are played side by side
Callback = Callable[[int, int, int, np.ndarray], None]


@dataclass(frozen=True)
class AudioOutput:
  """Pieces, played.  Of one piece the arrays have a leading axis of 1; of a list of pieces they are lists, since lengths differ."""

  audios: Any  # float32 [1, S] in [-1, 1], or a list of [S]; with output_type 'mel' the same as `mels`
  sample_rate: int
  mels: Any  # float32 [1, T, D], natural logarithm, or a list of [T, D]


@dataclass
class SpectrogramDiffusionPipeline:
  """Plays notes with a trained model.  `pipe = SpectrogramDiffusionPipeline.from_pretrained(); pipe('song.mid').audios[0]`.

  docs/pipeline.md says what differs from the pipeline of this name in diffusers.

  Attributes:
    config: the model's.
    params: without boxes.
    inverter: makes the spectrogram a sound.
    device: a jax.Device, where all is computed; JAX's own choice, its first accelerator, where None.
  """

  config: ModelConfig
  params: Any
  inverter: Inverter
  device: Any = None

  @classmethod
  def from_pretrained(
    cls, source: str | Path | None = None, inverter: Inverter | str | Path | None = None
  ) -> 'SpectrogramDiffusionPipeline':
    """Loads a model.

    Args:
      source: a model's folder, a training run, a checkpoint of T5X, a folder of diffusers, a zip of one, or an id on the Hugging Face
        hub; the demonstration model when None.
      inverter: one, or what `choose_inverter` takes.

    Raises:
      InputError: there is no such model or inverter, or it is damaged.
    """
    cache_compiled_programs()
    config, params, beside = load_model(source)
    if inverter is None or isinstance(inverter, (str, Path)):
      inverter = choose_inverter(inverter, config.mel, beside)
    return cls(config, jax.device_put(params), inverter)

  def to(self, device: Any) -> 'SpectrogramDiffusionPipeline':
    """Moves the pipeline, and returns it.

    Args:
      device: 'cpu', 'gpu', 'cuda', 'tpu', with a number where there are several ('cuda:1'), or a jax.Device.

    Raises:
      InputError: JAX sees no such device here.
    """
    self.device = device if isinstance(device, jax.Device) else _device(str(device))
    self.params = jax.device_put(self.params, self.device)
    return self

  def __call__(
    self,
    midi: Any,
    *,
    num_inference_steps: int | None = None,
    guidance: float | None = None,
    sampler: str | None = None,
    spacing: str | None = None,
    guidance_interval: tuple[float, float] | None = None,
    dtype: str | None = None,
    seed: int | Sequence[int] = 0,
    generator: Any = None,
    strict: bool = False,
    batch_size: int = BATCH_SIZE,
    callback: Callback | Sequence[Callback] | None = None,
    callback_steps: int = 1,
    output_type: str = 'numpy',
    return_dict: bool = True,
  ) -> Any:
    """Plays pieces of any length.

    Args:
      midi: a path, the bytes of a MIDI file, a NoteSequence, `Notes`, the token rows that `MidiProcessor` gives, or a list of such pieces,
        which are played side by side, each as it is alone.
      num_inference_steps, guidance, sampler, spacing, guidance_interval, dtype: instead of the model's own (`config.sampler`).
      seed: the same seed gives the same audio.  One for each piece of a list, or one that each of them is played with.
      generator: draws the seed: a key of jax.random, or a random generator of numpy or torch; or a list of them, one a piece.
      strict: fail where a segment has more notes than fit, instead of leaving out the faintest with a warning.
      batch_size: pieces of a list that are played at a time.
      callback: called as callback(step, steps, segment, mel) after every `callback_steps` sampling steps of a segment and after its last;
        mel [1, T, D] is the piece so far, the current segment as it is predicted at this step; it changes after the call.  For a
        list of pieces, a callback for each, or one for all.  Without one, each segment is drawn by one compiled program.
      callback_steps: see `callback`.
      output_type: 'numpy' (or 'np') for sound; 'mel' leaves out the inverter, and `audios` are log-mel spectrograms.
      return_dict: where False, the result is (audios,).

    Returns:
      An `AudioOutput`.

    Raises:
      InputError: a piece can't be read, has no notes, or a setting is out of range.
    """
    if output_type not in ('numpy', 'np', 'mel'):
      raise InputError(f'output_type is {output_type!r}, expected numpy or mel')
    if not isinstance(callback_steps, int) or callback_steps < 1:
      raise InputError(f'callback_steps is {callback_steps!r}, expected a whole number from 1 on')
    how = self.sampling(
      steps=num_inference_steps, guidance=guidance, name=sampler, spacing=spacing, guidance_interval=guidance_interval, dtype=dtype
    )
    several = _is_list(midi)
    pieces = midi if several else [midi]
    keys = seed_keys(seed, generator, len(pieces))
    callbacks = callback if isinstance(callback, Sequence) else [callback] * len(pieces)
    if len(callbacks) != len(pieces):
      raise InputError(f'{len(callbacks)} callbacks for {len(pieces)} pieces; give one for each, or one for all')
    scores = [self.score(piece, strict) for piece in pieces]
    mels = [np.zeros((1, score.frames, self.config.network.mel_bands), np.float32) for score in scores]
    for at in self.play(scores, how, keys, batch_size, callback_steps if any(callbacks) else None):
      start = at.segment * self.config.network.target_frames
      mel, told = mels[at.song], callbacks[at.song]
      mel[0, start : start + len(at.mel)] = at.mel
      if told:
        told(at.step, at.steps, at.segment, mel[:, : start + len(at.mel)])
    audios = mels if output_type == 'mel' else [np.concatenate(list(self.invert([mel])), axis=1) for mel in mels]
    if several:
      audios, mels = [each[0] for each in audios], [each[0] for each in mels]
    else:
      (audios,), (mels,) = audios, mels
    return AudioOutput(audios, self.config.mel.sample_rate, mels) if return_dict else (audios,)

  def sampling(self, **given: Any) -> SamplerConfig:
    """The model's sampler with the fields of `SamplerConfig` that are given, and not None, instead of its own."""
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value is not None}
    return samplers.checked(dataclasses.replace(self.config.sampler, **given))

  def frame_count(self, notes: Notes) -> int:
    return playing.frame_count(notes, self.config)

  def segment_count(self, notes: Notes) -> int:
    return -(-self.frame_count(notes) // self.config.network.target_frames)

  def score(self, midi: Any, strict: bool = False) -> playing.Score:
    """A piece as the model reads it; arguments as of the call.  A model of aligned notes is told the notes that token rows stand for."""
    rows = _token_rows(midi)
    if rows is not None and self.config.network.conditioning == 'tokens':
      return playing.score_of_rows(rows, self.config)
    return playing.score(to_notes(midi), self.config, strict)

  def play(
    self,
    scores: Sequence[playing.Score],
    how: SamplerConfig,
    keys: Sequence[jax.Array],
    batch_size: int = BATCH_SIZE,
    every: int | None = None,
  ) -> Iterator[playing.Progress]:
    """The pieces' log-mels, segment after segment, those of one piece in order; also after `every` steps where it is given.

    Args:
      scores: of the pieces.
      how: to sample.
      keys: of jax.random, one for each piece.
      batch_size: pieces played at a time.
      every: see above.
    """
    if batch_size < 1:
      raise InputError(f'batch_size is {batch_size}, expected at least 1')
    model = make_model(self.config)
    steps = how.steps if self.config.decoder == 'diffusion' else 1

    def predict(conditions, keys):
      if every and self.config.decoder == 'diffusion':
        return draw_in_parts(model, self.params, conditions, keys, how, every)
      return [(steps, _draw(self.params, conditions, keys, model=model, how=how))]

    return playing.play(predict, steps, scores, keys, self.config, batch_size)

  def segments(self, midi: Any, how: SamplerConfig, seed: int = 0, strict: bool = False) -> Iterator[np.ndarray]:
    """A piece's log-mel [T, D], segment after segment; the last is cut to the piece's end.  Memory does not grow with the piece."""
    score, keys = self.score(midi, strict), seed_keys(seed, None, 1)
    return (at.mel for at in self.play([score], how, keys))

  def invert(self, mels: Any) -> Iterator[np.ndarray]:
    """The sound [B, S_i] in [-1, 1] of log-mels [B, T_i, D] that follow one another, as they come."""
    sounds = self.inverter.stream(mels)
    while True:
      with jax.default_device(self.device):
        sound = next(sounds, None)
      if sound is None:
        return
      yield np.clip(sound, -1, 1)


@partial(jax.jit, static_argnames=('model', 'how'))
def _draw(params, conditions, key, *, model: Model, how: SamplerConfig):
  return model.predict(params, conditions, key, how)


def to_notes(midi: Any) -> Notes:
  """Notes of a path, bytes of a MIDI file, a NoteSequence, token rows of `MidiProcessor`, or `Notes` themselves.

  Raises:
    InputError: it is none of these, can't be read, or has no notes.
  """
  rows = _token_rows(midi)
  if rows is not None:
    notes = decode_segments(rows, PUBLISHED, FRAMES)
  elif isinstance(midi, (str, os.PathLike, bytes)):
    notes = read_midi(midi)
  elif isinstance(midi, Notes):
    notes = midi
  elif hasattr(midi, 'SerializeToString'):
    from mt3_synth.notes.note_sequence import from_note_sequence

    notes = from_note_sequence(midi)
  else:
    raise InputError(f'cannot play {type(midi).__name__}; give a path, the bytes of a MIDI file, a NoteSequence or Notes')
  if not len(notes):
    raise InputError('the piece has no notes')
  return notes


def _token_rows(midi: Any) -> np.ndarray | None:
  """int [segments, N] of an array or a list of rows, shorter ones padded; None of anything else."""
  if isinstance(midi, np.ndarray):
    return midi if midi.ndim == 2 and len(midi) and midi.dtype.kind in 'iu' else None
  if not isinstance(midi, list) or not midi or not all(isinstance(row, list) or getattr(row, 'ndim', 0) == 1 for row in midi):
    return None
  rows = [np.asarray(row) for row in midi]
  if not all(row.ndim == 1 and (row.dtype.kind in 'iu' or not len(row)) for row in rows):
    return None
  longest = max(1, *map(len, rows))
  return np.stack([np.pad(row, (0, longest - len(row))).astype(np.int64) for row in rows])


def _is_list(midi: Any) -> bool:
  if isinstance(midi, (list, tuple)) and not len(midi):
    raise InputError('an empty list of pieces; give at least one')
  return isinstance(midi, (list, tuple)) and _token_rows(midi) is None


def seed_keys(seed: Any, generator: Any, count: int) -> list[jax.Array]:
  """A key of jax.random for each of `count` pieces."""
  given = seed if generator is None else generator
  if not isinstance(given, (list, tuple)):
    given = [_key(given)] * count
  elif len(given) != count:
    raise InputError(f'{len(given)} {"seeds" if generator is None else "generators"} for {count} pieces; give one for each, or one for all')
  return [_key(each) for each in given]


def _key(source: Any) -> jax.Array:
  """The key of a seed, of a random generator of numpy (which moves on) or of torch (its own seed), or `source`, if it is a key."""
  if isinstance(source, jax.Array) and jax.numpy.issubdtype(source.dtype, jax.dtypes.prng_key):
    return source
  number: Any = source
  if isinstance(source, np.random.Generator):
    number = source.integers(2**32)
  elif hasattr(number, 'initial_seed'):
    number = number.initial_seed() % 2**32
  if not isinstance(number, (int, np.integer)) or not 0 <= number < 2**32:
    raise InputError(f'seed is {number}, expected 0 to {2**32 - 1}, a key of jax.random or a random generator')
  return jax.random.key(int(number))


def _device(name: str) -> Any:
  platform, _, number = name.partition(':')
  try:
    return jax.devices(platform.lower())[int(number or 0)]
  except (RuntimeError, IndexError, ValueError):
    seen = ', '.join(f'{each.platform}:{each.id}' for each in jax.devices())
    hint = '; for an NVIDIA GPU install jax[cuda12]' if platform.lower() in ('cuda', 'gpu') else ''
    raise InputError(f'no device {name!r}: JAX sees {seen} here{hint}') from None
