"""`mt3-synth synthesize`: a MIDI file played as audio."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mt3_synth.audio.files import audio_writer
from mt3_synth.errors import InputError
from mt3_synth.pipeline import SpectrogramDiffusionPipeline, to_notes


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('midi', help='the MIDI file')
  parser.add_argument('-o', '--output', required=True, help='the .wav or .flac file to write')
  parser.add_argument('--checkpoint', help='a model folder or a training run; the demonstration model if not given')
  parser.add_argument('--steps', type=int, help="sampling steps a segment; more is slower (the model's own if not given)")
  parser.add_argument('--sampler', choices=['ddpm', 'ddim'], help="how to sample (the model's own if not given)")
  parser.add_argument('--guidance', type=float, help='how strictly to follow the notes; 1 is no guidance, and twice as fast')
  parser.add_argument('--seed', type=int, default=0, help='the same seed gives the same audio (default 0)')
  parser.add_argument('--strict', action='store_true', help='fail where a segment has more notes than fit, instead of leaving some out')
  parser.add_argument('--plot', metavar='PNG', help='also draw the piano roll above the spectrogram')


def run(args: argparse.Namespace) -> int:
  notes = to_notes(args.midi)
  _check_outputs(args.output, args.plot)
  pipeline = SpectrogramDiffusionPipeline.from_pretrained(args.checkpoint)
  how = pipeline.sampling(args.steps, args.guidance, args.sampler)
  segments = pipeline.segments(notes, how, args.seed, args.strict)
  drawn: list[np.ndarray] = []
  with (
    audio_writer(args.output, pipeline.config.mel.sample_rate) as write,
    tqdm(total=pipeline.segment_count(notes), unit='segment', desc=Path(args.midi).stem) as progress,
  ):
    shown = _watched(segments, progress, drawn if args.plot else None)
    for audio in pipeline.inverter.stream(mel[None] for mel in shown):
      write(np.clip(audio[0], -1, 1))
  print(f'{args.output}: {pipeline.frame_count(notes) / pipeline.config.mel.frames_per_second:.1f} s, {len(notes)} notes')
  if args.plot:
    from mt3_synth.plots import plot_song

    plot_song(notes, np.concatenate(drawn), args.plot, title=Path(args.midi).stem, config=pipeline.config.mel)
    print(args.plot)
  return 0


def _check_outputs(output: str, plot: str | None) -> None:
  """Says what can't be written before minutes are spent; `audio_writer` tries the rest."""
  for path in filter(None, (output, plot)):
    if Path(path).is_dir():
      raise InputError(f'{path}: is a folder; name a file in it')
    if not Path(path).parent.is_dir():
      raise InputError(f'{path}: there is no folder {Path(path).parent}; make it first')
  if plot and Path(plot).suffix.lower() != '.png':
    raise InputError(f'{plot}: a picture is written as .png')


def _watched(mels: Iterable[np.ndarray], progress: tqdm, kept: list[np.ndarray] | None) -> Iterator[np.ndarray]:
  for mel in mels:
    progress.update()
    if kept is not None:
      kept.append(mel)
    yield mel
