"""What the tests of training and synthesis share: a network of the smallest sizes, and a corpus of a few seconds on disk."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import yaml

from mt3_synth.audio.files import write_audio
from mt3_synth.config import AutoregressiveConfig, DiffusionConfig, ModelConfig, NetworkConfig, SamplerConfig
from mt3_synth.data.songs import Song
from mt3_synth.models.model import make_model
from mt3_synth.notes import Notes, write_midi

FRAMES, CONTEXT, HOP = 16, 8, 320


TINY = NetworkConfig(
  emb_dim=16,
  num_heads=2,
  head_dim=8,
  encoder_layers=1,
  decoder_layers=1,
  mlp_dim=32,
  note_features=8,
  note_length=64,
  target_frames=FRAMES,
  context_frames=CONTEXT,
)
SCALED = AutoregressiveConfig(targets='scaled', components=2, min_sigma=0.02, max_sigma=1.0)
VARIANTS: dict[str, dict[str, Any]] = {
  'context': {},
  'basic': {'context_frames': 0},
  'ar': {'context_frames': 0, 'decoder': 'autoregressive'},
  'ar_context': {'decoder': 'autoregressive'},
  'mixture': {'context_frames': 0, 'decoder': 'autoregressive', 'autoregressive': dataclasses.replace(SCALED, output='mixture')},
}


def tiny_model(conditioning='tokens', decoder: Any = 'diffusion', autoregressive=SCALED, **network) -> ModelConfig:
  return ModelConfig(
    network=dataclasses.replace(TINY, conditioning=conditioning, **network),
    decoder=decoder,
    diffusion=DiffusionConfig(output='x0', loss_on='x0', context_noise=0.1),
    autoregressive=autoregressive,
    sampler=SamplerConfig('ddim', steps=2, guidance=1.0),
  )


def tiny_variant(name: str, conditioning='tokens', **network) -> ModelConfig:
  """A model of `VARIANTS`."""
  return tiny_model(conditioning, **VARIANTS[name], **network)


@functools.cache
def untrained(config: ModelConfig) -> Any:
  """Parameters of no training, of the sizes that initial ones have: drawn by numpy, since compiling the model's own draws takes seconds."""
  rng = np.random.default_rng(0)
  shapes = nn.meta.unbox(jax.eval_shape(make_model(config).init, jax.random.key(0)))

  def draw(path, x):
    if path[-1].key != 'kernel':
      return np.ones(x.shape, np.float32) if x.ndim == 1 else rng.normal(size=x.shape).astype(np.float32)
    return rng.normal(scale=x.shape[0] ** -0.5, size=x.shape).astype(np.float32)

  return jax.tree_util.tree_map_with_path(draw, shapes)


def tiny_params(conditioning='tokens') -> Any:
  return untrained(tiny_model(conditioning))


def melody(seconds: float, program: int = 0, seed: int = 0) -> Notes:
  """Five notes a second, each 0.3 s."""
  rng = np.random.default_rng(seed)
  onsets = np.arange(0, seconds - 0.3, 0.2).tolist()
  return Notes.from_rows([(t, t + 0.3, int(rng.integers(48, 72)), int(rng.integers(30, 120)), program) for t in onsets])


def sound(seconds: float, seed: int = 0) -> np.ndarray:
  """int16 noise whose loudness changes."""
  rng = np.random.default_rng(seed)
  count = int(seconds * 16000)
  return (rng.normal(size=count) * 4000 * (1 + np.sin(np.arange(count) / 900))).astype(np.int16)


def tiny_song(seconds: float = 2.0, name: str = 'song', seed: int = 0) -> Song:
  return Song(name, melody(seconds, seed=seed), sound(seconds, seed))


def write_track(folder: Path, stems: dict[str, tuple[Notes, dict]], audio: np.ndarray) -> None:
  """A track of Slakh's layout.  stems: name -> (notes, its entry of metadata.yaml)."""
  (folder / 'MIDI').mkdir(parents=True)
  for name, (notes, _) in stems.items():
    write_midi(notes, folder / 'MIDI' / f'{name}.mid')
  write_audio(folder / 'mix.flac', audio)
  (folder / 'metadata.yaml').write_text(yaml.safe_dump({'stems': {name: about for name, (_, about) in stems.items()}}))


def write_corpus(root: Path) -> Path:
  """Two tracks to train on, one to validate."""
  drums = Notes.from_rows([(t, t + 0.1, 36) for t in np.arange(0, 1.8, 0.5)])
  guitar = {'program_num': 24, 'is_drum': False}
  two = {'S00': (melody(2.0), guitar), 'S01': (drums, {'program_num': 128, 'is_drum': True})}
  write_track(root / 'train' / 'Track00001', two, sound(2.0))
  write_track(root / 'train' / 'Track00002', {'S00': (melody(1.0, seed=1), {'program_num': 40, 'is_drum': False})}, sound(1.0, 1))
  write_track(root / 'validation' / 'Track00003', {'S00': (melody(1.0, seed=2), guitar)}, sound(1.0, 2))
  return root
