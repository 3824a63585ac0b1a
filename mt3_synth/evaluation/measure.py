"""All measures of one song: what was made, against its recording."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mt3_synth.audio.files import SAMPLE_RATE
from mt3_synth.errors import InputError
from mt3_synth.evaluation.chroma import chroma_cosine
from mt3_synth.evaluation.embedders import Embedder
from mt3_synth.evaluation.loudness import FLOOR_DB, loudness, loudness_l1
from mt3_synth.evaluation.spectral import mel_l1, mr_stft, multi_scale_spectral

MINUTE = 60.0  # seconds
SHORTEST_MINUTE = 5.0  # seconds: what is left of the last minute counts for itself from here on
OF_SOUND: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
  'mr_stft': mr_stft,
  'multi_scale_spectral': multi_scale_spectral,
  'loudness_l1': loudness_l1,
  'chroma_cosine_distance': lambda target, predicted: 1 - chroma_cosine(target, predicted),
}

RELATIVE = ('mr_stft', 'chroma_cosine_distance')  # to what is in the recording


@dataclass(frozen=True)
class Sound:
  """A sound as it is measured.

  Attributes:
    audio: float32 [S] at 16 kHz, in [-1, 1].
    mel: log-mel [T, D] in the model's features.
  """

  audio: np.ndarray
  mel: np.ndarray


@dataclass
class Measured:
  """What was found.

  Attributes:
    metrics: by key; NaN where a value can't be had.
    per_minute: of each minute: {'minute', 'seconds', 'metrics'}.
    embeddings: [windows, E] by embedder.
    warnings: why values are missing, and what a reader should know.
  """

  metrics: dict[str, float] = field(default_factory=dict)
  per_minute: list[dict[str, Any]] = field(default_factory=list)
  embeddings: dict[str, np.ndarray] = field(default_factory=dict)
  warnings: list[str] = field(default_factory=list)


def embed_all(audio: np.ndarray, embedders: Sequence[Embedder]) -> dict[str, np.ndarray]:
  """Embeddings [windows, E] of a sound, by embedder."""
  return {embedder.name: embedder(audio) for embedder in embedders}


def measure(target: Sound, predicted: Sound, embedders: Sequence[Embedder], of_target: Mapping[str, np.ndarray] | None = None) -> Measured:
  """Every measure of `predicted` against `target`.

  Args:
    target, predicted: the longer is cut, and a difference of more than 0.1 s told.
    embedders: under whose names distances stand.
    of_target: the target's embeddings, where they are known.

  Raises:
    InputError: there is no sound at all, or it is not finite.
  """
  for name, sound in (('the recording', target), ('the sound', predicted)):
    bad = int((~np.isfinite(sound.audio)).sum())
    if bad or not len(sound.audio):
      raise InputError(f'{name} has {bad} samples of {len(sound.audio)} that are NaN or infinite; expected a finite sound')
  found = Measured()
  lengths = [len(sound.audio) / SAMPLE_RATE for sound in (target, predicted)]
  if abs(lengths[0] - lengths[1]) > 0.1:
    found.warnings.append(f'{lengths[1]:.2f} s, its recording {lengths[0]:.2f} s: the longer was cut')
  found.metrics['mel_l1'] = mel_l1(target.mel, predicted.mel)
  for key, of_sound in OF_SOUND.items():
    found.metrics[key] = _value(of_sound, target.audio, predicted.audio, key, found.warnings)
  if loudness(target.audio).max() <= FLOOR_DB:
    found.metrics |= dict.fromkeys(RELATIVE, float('nan'))  # one such value would be all that is seen of a mean over songs
    found.warnings.append('the recording is silent: chroma and MR-STFT, which are relative to it, say nothing')
  of_target = embed_all(target.audio, embedders) if of_target is None else of_target
  found.embeddings = embed_all(predicted.audio, embedders)
  for name, embeddings in found.embeddings.items():
    found.metrics[f'{name}_distance'] = reconstruction_distance(of_target[name], embeddings)
    if not min(len(embeddings), len(of_target[name])):
      found.warnings.append(f'shorter ({min(lengths):.2f} s) than a window of {name}: it says nothing')
  return found


def reconstruction_distance(target: np.ndarray, predicted: np.ndarray) -> float:
  """Mean distance between embeddings [T, E] of the same time; the longer is cut.  Not a number without any."""
  windows = min(len(target), len(predicted))
  if not windows:
    return float('nan')
  return float(np.linalg.norm(target[:windows].astype(np.float64) - predicted[:windows], axis=1).mean())


def measure_minutes(target: Sound, predicted: Sound, embedders: Sequence[Embedder]) -> list[dict[str, Any]]:
  """`measure` of each minute alone: {'minute' from 0, 'seconds', 'metrics'}."""
  minutes = []
  for minute, (one, other) in enumerate(zip(_minutes(target), _minutes(predicted), strict=False)):
    metrics = measure(one, other, embedders).metrics
    minutes.append({'minute': minute, 'seconds': min(len(one.audio), len(other.audio)) / SAMPLE_RATE, 'metrics': metrics})
  return minutes


def _minutes(sound: Sound) -> Iterator[Sound]:
  samples = round(MINUTE * SAMPLE_RATE)
  frames = samples * len(sound.mel) / max(len(sound.audio), 1)
  minute = 0
  while len(sound.audio) - minute * samples >= (SHORTEST_MINUTE * SAMPLE_RATE if minute else 1):
    mel = sound.mel[round(minute * frames) : round((minute + 1) * frames)]
    yield Sound(sound.audio[minute * samples : (minute + 1) * samples], mel)
    minute += 1


def _value(of_sound: Callable, target: np.ndarray, predicted: np.ndarray, key: str, warnings: list[str]) -> float:
  try:
    return of_sound(target, predicted)
  except InputError as e:
    warnings.append(f'{key}: {e}')
    return float('nan')
