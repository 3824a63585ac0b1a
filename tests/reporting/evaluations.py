"""Small evaluation folders, as `mt3-synth evaluate` leaves them, of tones."""

import dataclasses
import json
import warnings
from pathlib import Path

import numpy as np

from mt3_synth.audio.files import write_audio
from mt3_synth.audio.mel import log_mel
from mt3_synth.config import ModelConfig, NetworkConfig, to_json
from mt3_synth.evaluation.records import (
  METRIC_VERSION,
  SYSTEMS,
  Evaluation,
  SongResult,
  System,
  audio_file,
  notes_file,
  write_embeddings,
  write_evaluation,
  write_mels,
  write_song,
)  # fmt: skip
from mt3_synth.evaluation.sonify import sonify
from mt3_synth.evaluation.spectral import mel_l1
from mt3_synth.notes import Notes, write_midi

TINY = ModelConfig(
  network=NetworkConfig(emb_dim=16, num_heads=1, head_dim=8, encoder_layers=1, decoder_layers=1, mlp_dim=16, note_length=16)
)
DIMENSIONS = 8


def write_evaluation_of_tones(
  folder: Path,
  name: str = 'ddpm',
  *,
  songs: int = 3,
  error: float = 0.1,
  seed: int = 0,
  seconds: float = 4.0,
  failed: tuple[str, ...] = (),
  context: str = 'predicted',
  **changes,
) -> Path:
  """An evaluation of `songs` songs, the same for every call, whose predictions are off by `error`, drawn by `seed`."""
  evaluation = Evaluation(
    name=name,
    checkpoint=f'runs/{name}',
    corpus='tones',
    split='test',
    context=context,  # pyright: ignore[reportArgumentType]
    sampler={'name': 'ddim', 'steps': 5},
    inverter='griffin_lim',
    seed=seed,
    config=json.loads(to_json(TINY)),
    embedders={'logmel_stats': '0123abcd'},
    transcribers={},
    songs=tuple(f'group/tune {k}' for k in range(songs)),
    metric_version=METRIC_VERSION,
    code_version='0.1.0',
    device='cpu',
    created='2026-01-01T00:00:00+00:00',
  )
  evaluation = dataclasses.replace(evaluation, **changes)
  write_evaluation(folder, evaluation)
  for number, song in enumerate(evaluation.songs):
    if song in failed:
      write_song(folder, SongResult(song, 'failed', error='its audio holds NaN'))
    else:
      _write_song(folder, song, number, error, seed, seconds)
  return folder


def _write_song(folder: Path, song: str, number: int, error: float, seed: int, seconds: float) -> None:
  rng, draw = np.random.default_rng(number), np.random.default_rng([number, seed, round(1000 * error)])
  onsets = np.arange(0, seconds - 0.2, 0.25)
  notes = Notes.from_rows([(t, t + 0.25, int(rng.integers(48, 72)), 100, 24 if k % 2 else 0) for k, t in enumerate(onsets)])
  sound = 0.5 * sonify(notes, seconds).astype(np.float32)
  noise = {'target': 0.0, 'ceiling': 0.02, 'prediction': error}
  sounds: dict[System, np.ndarray] = {system: np.clip(sound + noise[system] * draw.normal(0, 0.3, len(sound)), -1, 1) for system in SYSTEMS}
  mels: dict[System, np.ndarray] = {system: np.asarray(log_mel(each.astype(np.float32))) for system, each in sounds.items()}
  windows = rng.normal(size=(max(2, int(seconds)), DIMENSIONS))
  embeddings = {system: windows + noise[system] * draw.normal(1, 1, windows.shape) for system in SYSTEMS}
  systems = {system: _measured(mels, embeddings, system, noise[system], draw, seconds) for system in SYSTEMS}
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    for system in SYSTEMS:
      write_audio(audio_file(folder, song, system), sounds[system])
  write_midi(notes, notes_file(folder, song))
  write_mels(folder, song, mels)
  write_embeddings(folder, song, {f'{system}/logmel_stats': each for system, each in embeddings.items()})
  time = {'spectrogram': seconds / 10 * (1 + draw.random()), 'inverter': seconds / 50, 'metrics': 0.1}
  write_song(folder, SongResult(song, 'ok', seconds=seconds, notes=len(notes), systems=systems, time=time))


def _measured(mels, embeddings, system, noise, draw, seconds) -> dict:
  apart = np.linalg.norm(embeddings[system] - embeddings['target'], axis=1).mean()
  metrics = {
    'mel_l1': mel_l1(mels['target'], mels[system]),
    'mr_stft': noise * (5 + draw.random()),
    'chroma_cosine_distance': noise * draw.random(),
    'onset_error_median_ms': noise * 10 * draw.normal(),
    'logmel_stats_distance': float(apart),
    'transcription_basic_pitch_onset_f1': 0.95 - noise * (1 + 0.1 * draw.random()),
  }
  if system == 'target':  # the recordings have no distance from themselves
    return {'metrics': {'transcription_basic_pitch_onset_f1': metrics['transcription_basic_pitch_onset_f1']}, 'per_minute': []}
  minutes = [{'minute': k, 'seconds': 60.0, 'metrics': {'mel_l1': metrics['mel_l1'] * (1 + 0.2 * k)}} for k in range(3)]
  return {'metrics': metrics, 'per_minute': minutes}
