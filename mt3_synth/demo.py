"""`mt3-synth demo`: trains a tiny model for a few minutes, plays held-out pieces with it and with the demonstration checkpoint."""

import argparse
import dataclasses
import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from tqdm import tqdm

from mt3_synth.audio.files import write_audio
from mt3_synth.data.songs import Song, read_corpus
from mt3_synth.demo_page import Piece, write_page
from mt3_synth.errors import Stopped
from mt3_synth.evaluation.held_out import MEASURES, average, mean_spectrum, measure_constant, play_and_measure, song_mel, table
from mt3_synth.gin_files import read_gin
from mt3_synth.models.model import make_model
from mt3_synth.pipeline import AudioOutput, SpectrogramDiffusionPipeline, to_notes
from mt3_synth.plots import plot_comparison, plot_loss, plot_piano_roll, plot_song
from mt3_synth.train import train
from mt3_synth.training.config import TrainConfig

GIN_FILE = 'gin_configs/demo.gin'


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('--out', default='demo', help='the folder to write (default demo)')
  parser.add_argument('--midi', help='also play this MIDI file')
  parser.add_argument('--steps', type=int, help='training steps (a few minutes of them if not given)')


def run(args: argparse.Namespace) -> int:
  out = Path(args.out)
  user_notes = to_notes(args.midi) if args.midi else None  # before minutes are spent
  out.mkdir(parents=True, exist_ok=True)
  shutil.rmtree(out / 'run', ignore_errors=True)  # from scratch, each time
  bindings = [f"MODEL_DIR = '{out / 'run'}'"] + ([f'TRAIN_STEPS = {args.steps}'] if args.steps else [])
  config = read_gin(TrainConfig, [GIN_FILE], bindings)

  print(f'Training a tiny model from scratch for {config.total_steps} steps on the embedded corpus:')
  start = time.monotonic()
  try:
    train(config)
  except Stopped:
    raise KeyboardInterrupt from None  # it is no use going on with minutes
  minutes = (time.monotonic() - start) / 60
  shown = SpectrogramDiffusionPipeline.from_pretrained()
  rows, pieces = _compare(out, config, shown)
  if user_notes is not None:
    name = Path(args.midi).stem
    output = shown(user_notes)
    plot_song(user_notes, output.mels[0], out / 'your_piece.png')
    write_audio(out / 'your_piece.flac', output.audios[0])
    pieces.insert(0, Piece(name, {'Notes, and the mel played from them': out / 'your_piece.png'}, {'played': out / 'your_piece.flac'}))

  losses = [json.loads(line) for line in (out / 'run' / 'metrics.jsonl').read_text().splitlines()]
  curve = [(line['step'], line['train/loss']) for line in losses if 'train/loss' in line]
  plot_loss({'training loss': tuple(np.array(curve).T)}, out / 'loss.png', ylabel='mean absolute error of x0, scaled mel')
  facts = {
    'trained for': f'{config.total_steps} steps, {minutes:.1f} minutes',
    'loss': f'{curve[0][1]:.3f} at step {curve[0][0]}, {curve[-1][1]:.3f} at step {curve[-1][0]}',
    'device': f'{jax.devices()[0].device_kind}, {os.cpu_count()} cores, {platform.machine()}',
    'sampling': f'{shown.config.sampler.name}, {shown.config.sampler.steps} steps, guidance {shown.config.sampler.guidance:g}',
  }
  page = write_page(
    out / 'index.html',
    'mt3_synth: notes played as audio',
    pieces,
    introduction='Held-out pieces of the embedded corpus, played from their notes alone by the demonstration checkpoint. Below is how long '
    'the tiny model was trained here, how its loss fell, and how near each model comes to the recordings.',
    facts=facts,
    loss_picture=out / 'loss.png',
    results=rows,
  )
  print(f'\n{facts["trained for"]}; loss {facts["loss"]}\n\n{table(rows)}\n\nOpen {page} in a browser.')
  return 0


def _compare(out: Path, config: TrainConfig, shown: SpectrogramDiffusionPipeline) -> tuple[list[dict[str, Any]], list[Piece]]:
  """The table of all models on the held-out pieces, and the pieces as `shown` plays them."""
  trained = SpectrogramDiffusionPipeline.from_pretrained(config.model_dir)
  untrained = nn.meta.unbox(jax.jit(make_model(config.spectrogram_model).init)(jax.random.key(config.seed)))
  pipelines = {
    'untrained': dataclasses.replace(trained, params=untrained),
    'trained for these minutes': trained,
    'demonstration checkpoint': shown,
  }
  songs, mel = read_corpus('embedded', 'test'), config.model.mel
  mean = mean_spectrum(read_corpus('embedded', 'train'), mel)
  rows, pieces = [_row('per-band mean spectrogram', measure_constant(mean, songs, mel))], []
  with tqdm(total=len(songs) * len(pipelines), desc='playing held-out pieces', unit='piece') as progress:
    for name, pipeline in pipelines.items():
      scores = []
      for song, output, score in play_and_measure(pipeline, songs, mel):
        scores.append(score)
        if pipeline is shown:
          pieces.append(_piece(out, song, output, shown, score))
        progress.update()
      rows.append(_row(name, scores))
  return sorted(rows, key=lambda row: -row[MEASURES[0]]), pieces


def _row(name: str, scores: list[dict[str, float]]) -> dict[str, Any]:
  return {'model': name} | {measure: '–' if np.isnan(value) else round(value, 3) for measure, value in average(scores).items()}


def _piece(out: Path, song: Song, output: AudioOutput, pipeline: SpectrogramDiffusionPipeline, score: dict[str, float]) -> Piece:
  name, config = Path(song.name).stem, pipeline.config.mel
  mel = song_mel(song, config)
  plot_piano_roll(song.notes, out / f'{name}_notes.png')
  plot_comparison({'recording': mel, 'played from the notes': output.mels[0]}, out / f'{name}_mel.png', config=config)
  sounds = {
    'recording': song.audio,
    'recording through the inverter': np.clip(pipeline.inverter(mel[None])[0], -1, 1),
    'played from the notes': output.audios[0],
  }
  files = {label: out / f'{name}_{index}.flac' for index, label in enumerate(sounds)}
  for label, file in files.items():
    write_audio(file, sounds[label], config.sample_rate)
  pictures = {'The notes': out / f'{name}_notes.png', 'Mel spectrograms, on one scale': out / f'{name}_mel.png'}
  return Piece(name.replace('_', ' '), pictures, files, {measure: f'{value:.3f}' for measure, value in score.items()})
