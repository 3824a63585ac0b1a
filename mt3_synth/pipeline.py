"""MIDI in, audio out: a checkpoint, an inverter, and the walk along a piece, segment after segment."""

import dataclasses
import os
import typing
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.audio.mel import unscale
from mt3_synth.compilation import cache_compiled_programs
from mt3_synth.config import ModelConfig, SamplerConfig
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.inverter import Inverter
from mt3_synth.inverter.griffin_lim import GriffinLim
from mt3_synth.models.aligned import AlignedNotes
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.context_diffusion import ContextDiffusion
from mt3_synth.models.pretrained import load_pretrained
from mt3_synth.notes import Notes, count_tokens, encode_segments, num_frames, read_midi, song_events
from mt3_synth.notes.aligned import aligned_notes

TAIL_SECONDS = 1.0  # after the last note's end, for its sound to die away
TOKEN_BUCKETS = (256, 512, 1024, 2048)  # rows are cut to the shortest that holds them: masked padding changes nothing but time


@dataclass(frozen=True)
class AudioOutput:
  """A piece, played."""

  audios: np.ndarray  # float32 [1, S] in [-1, 1]
  sample_rate: int
  mels: np.ndarray  # float32 [1, T, D], natural logarithm


@dataclass(frozen=True)
class SpectrogramDiffusionPipeline:
  """Plays notes with a trained model.  `pipe = SpectrogramDiffusionPipeline.from_pretrained(); pipe('song.mid').audios[0]`."""

  config: ModelConfig
  params: Any
  inverter: Inverter

  @classmethod
  def from_pretrained(cls, folder: str | Path | None = None, inverter: Inverter | None = None) -> 'SpectrogramDiffusionPipeline':
    """Loads a model's folder or a training run; the demonstration model when None.  The inverter is Griffin-Lim unless given."""
    cache_compiled_programs()
    config, params = load_pretrained(folder)
    return cls(config, params, inverter or GriffinLim(config.mel))

  def __call__(
    self,
    midi: Any,
    num_inference_steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    sampler: str | None = None,
    strict: bool = False,
    callback: Callable[[int, int], None] | None = None,
  ) -> AudioOutput:
    """Plays a piece of any length.

    Args:
      midi: a path, the bytes of a MIDI file, a NoteSequence, or `Notes`.
      num_inference_steps, guidance, sampler: instead of the model's own (`config.sampler`).
      seed: the same seed gives the same audio.
      strict: fail where a segment has more notes than fit, instead of leaving out the faintest with a warning.
      callback: called with (segments done, segments in all).

    Raises:
      InputError: the piece can't be read, has no notes, or a setting is out of range.
    """
    notes = to_notes(midi)
    how = self.sampling(num_inference_steps, guidance, sampler)
    segments, total = [], self.segment_count(notes)
    for mel in self.segments(notes, how, seed, strict):
      segments.append(mel)
      if callback:
        callback(len(segments), total)
    mel = np.concatenate(segments)[None]
    return AudioOutput(np.clip(self.inverter(mel), -1, 1), self.config.mel.sample_rate, mel)

  def sampling(self, steps: int | None = None, guidance: float | None = None, sampler: str | None = None) -> SamplerConfig:
    """The model's sampler with what is given instead of its own."""
    given = {'steps': steps, 'guidance': guidance, 'name': sampler}
    how = dataclasses.replace(self.config.sampler, **{name: value for name, value in given.items() if value is not None})
    names = typing.get_args(typing.get_type_hints(SamplerConfig)['name'])
    if how.name not in names:
      raise InputError(f'no sampler {how.name!r}; there are {", ".join(names)}')
    if how.steps < 1:
      raise InputError(f'{how.steps} sampling steps, expected at least 1')
    if not np.isfinite(how.guidance):
      raise InputError(f'guidance is {how.guidance}, expected a finite number')
    return how

  def frame_count(self, notes: Notes) -> int:
    return num_frames(notes.duration + TAIL_SECONDS, self.config.mel)

  def segment_count(self, notes: Notes) -> int:
    return -(-self.frame_count(notes) // self.config.network.target_frames)

  def segments(self, notes: Notes, how: SamplerConfig, seed: int = 0, strict: bool = False) -> Iterator[np.ndarray]:
    """The piece's log-mel [T, D], segment after segment; the last is cut to the piece's end.  Memory does not grow with the piece."""
    network = self.config.network
    frames, context_frames = network.target_frames, network.context_frames
    total = self.frame_count(notes)
    context = jnp.zeros((1, context_frames, network.mel_bands))
    if not 0 <= seed < 2**32:
      raise InputError(f'seed is {seed}, expected 0 to {2**32 - 1}')
    model, key = ContextDiffusion(self.config), jax.random.key(seed)
    for index, encoded in enumerate(self._encode(notes, total, strict)):
      mask = jnp.full((1, context_frames), index > 0, jnp.int32)
      scaled = _draw(self.params, Conditions(encoded, context, mask), jax.random.fold_in(key, index), model=model, how=how)
      context = jnp.concatenate([context, scaled], axis=1)[:, -context_frames:]
      yield np.asarray(unscale(scaled[0], self.config.mel))[: total - index * frames]

  def _encode(self, notes: Notes, total: int, strict: bool) -> Iterator[Any]:
    """The notes of each segment as its encoder takes them, all of one size so that one compiled program serves the piece."""
    network, mel = self.config.network, self.config.mel
    starts = np.arange(0, total, network.target_frames)
    if network.conditioning == 'tokens':
      events = song_events(notes, self.config.notes)
      longest = int(count_tokens(events, starts, network.target_frames, mel=mel).max())
      length = min([bucket for bucket in TOKEN_BUCKETS if longest <= bucket <= network.note_length], default=network.note_length)
      for start in starts:
        too_long = 'error' if strict else 'thin'
        rows = encode_segments(events, np.array([start]), network.target_frames, length=length, too_long=too_long, mel=mel)
        yield jnp.asarray(rows)
      return
    cut = partial(aligned_notes, notes, frames=network.target_frames, config=self.config.notes, mel=mel)
    with warnings.catch_warnings():  # of notes left out: below, segment after segment
      warnings.simplefilter('error' if strict else 'ignore', InputWarning)
      try:
        size = max(len(cut(int(start))['mask']) for start in starts)
      except InputWarning as e:
        raise InputError(f'{e}; let notes be left out, or give a piece with fewer at a time') from None
    for start in starts:
      yield AlignedNotes(**{name: jnp.asarray(column)[None] for name, column in cut(int(start), size=size).items()})


@partial(jax.jit, static_argnames=('model', 'how'))
def _draw(params, conditions, key, *, model: ContextDiffusion, how: SamplerConfig):
  return model.predict(params, conditions, key, how)


def to_notes(midi: Any) -> Notes:
  """Notes of a path, bytes of a MIDI file, a NoteSequence, or `Notes` themselves.

  Raises:
    InputError: it is none of these, can't be read, or has no notes.
  """
  if isinstance(midi, (str, os.PathLike, bytes)):
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
