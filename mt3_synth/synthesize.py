"""`mt3-synth synthesize`: MIDI files played as audio."""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mt3_synth.audio.files import audio_writer
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes
from mt3_synth.pipeline import BATCH_SIZE, SpectrogramDiffusionPipeline, seed_keys, to_notes
from mt3_synth.playing import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('midi', nargs='+', help='the MIDI file, or several')
  parser.add_argument('-o', '--output', required=True, help='the .wav or .flac file to write; of several files, the folder for theirs')
  parser.add_argument(
    '--checkpoint',
    help='a model folder, a training run, a checkpoint of T5X or diffusers, or its id on the hub; the demonstration model if not given',
  )
  parser.add_argument(
    '--inverter', help='griffin_lim, or the path of an ONNX graph or SavedModel (what came with the model, else griffin_lim, if not given)'
  )
  parser.add_argument('--steps', type=int, help="sampling steps a segment; more is slower (the model's own if not given)")
  parser.add_argument(
    '--sampler', choices=['ddpm', 'ddim', 'dpmpp_2m', 'dpmpp_2m_sde'], help="how to sample (the model's own if not given)"
  )
  parser.add_argument(
    '--spacing', choices=['time', 'logsnr', 'power'], help="how the noise levels are spread (the model's own if not given)"
  )
  parser.add_argument('--guidance', type=float, help='how strictly to follow the notes; 1 is no guidance, and twice as fast')
  parser.add_argument(
    '--guidance_interval', type=float, nargs=2, metavar=('LOW', 'HIGH'), help='log-SNR from and to which guidance counts; faster'
  )
  parser.add_argument('--dtype', choices=['float32', 'bfloat16'], help="of the network's activations (the model's own if not given)")
  parser.add_argument('--device', help="cpu, gpu, cuda or tpu (JAX's own choice if not given)")
  parser.add_argument('--batch_size', type=int, default=BATCH_SIZE, help=f'files that are played at a time (default {BATCH_SIZE})')
  parser.add_argument('--seed', type=int, default=0, help='the same seed gives the same audio (default 0)')
  parser.add_argument('--strict', action='store_true', help='fail where a segment has more notes than fit, instead of leaving some out')
  parser.add_argument('--plot', metavar='PNG', help='also draw the piano roll above the spectrogram, of one file')


def run(args: argparse.Namespace) -> int:
  pieces = [to_notes(path) for path in args.midi]
  outputs = _outputs(args)
  pipeline = SpectrogramDiffusionPipeline.from_pretrained(args.checkpoint, args.inverter)
  if args.device:
    pipeline.to(args.device)
  how = pipeline.sampling(
    steps=args.steps,
    guidance=args.guidance,
    name=args.sampler,
    spacing=args.spacing,
    guidance_interval=args.guidance_interval,
    dtype=args.dtype,
  )
  scores = [pipeline.score(notes, args.strict) for notes in pieces]
  segments = pipeline.play(scores, how, seed_keys(args.seed, None, len(pieces)), args.batch_size)
  drawn: list[np.ndarray] = []
  total = sum(map(pipeline.segment_count, pieces))
  description = Path(args.midi[0]).stem if len(pieces) == 1 else f'{len(pieces)} files'
  with tqdm(total=total, unit='segment', desc=description) as progress:
    for song, mels in _songs(_watched(segments, progress), [pipeline.segment_count(notes) for notes in pieces]):
      _write(pipeline, _kept(mels, drawn if args.plot else None), pieces[song], outputs[song])
  if args.plot:
    from mt3_synth.plots import plot_song

    plot_song(pieces[0], np.concatenate(drawn), args.plot, title=Path(args.midi[0]).stem, config=pipeline.config.mel)
    print(args.plot)
  return 0


def _write(pipeline: SpectrogramDiffusionPipeline, mels: Iterable[np.ndarray], notes: Notes, output: str) -> None:
  with audio_writer(output, pipeline.config.mel.sample_rate) as write:
    for audio in pipeline.invert(mel[None] for mel in mels):
      write(audio[0])
  seconds = pipeline.frame_count(notes) / pipeline.config.mel.frames_per_second
  tqdm.write(f'{output}: {seconds:.1f} s, {len(notes)} notes')


def _songs(segments: Iterator[Progress], counts: list[int]) -> Iterator[tuple[int, Iterable[np.ndarray]]]:
  """Each song and its mels: a single one's as they come, of several a song's when it is whole."""
  if len(counts) == 1:
    yield 0, (at.mel for at in segments)
    return
  mels = [[] for _ in counts]
  for at in segments:
    mels[at.song].append(at.mel)
    if len(mels[at.song]) == counts[at.song]:
      yield at.song, mels[at.song]
      mels[at.song] = []


def _outputs(args: argparse.Namespace) -> list[str]:
  """The file that each piece becomes; says what can't be written before minutes are spent, `audio_writer` tries the rest."""
  if len(args.midi) > 1:
    return _outputs_in(Path(args.output), args)
  for path in filter(None, (args.output, args.plot)):
    if Path(path).is_dir():
      raise InputError(f'{path}: is a folder; name a file in it')
    if not Path(path).parent.is_dir():
      raise InputError(f'{path}: there is no folder {Path(path).parent}; make it first')
  if args.plot and Path(args.plot).suffix.lower() != '.png':
    raise InputError(f'{args.plot}: a picture is written as .png')
  return [args.output]


def _outputs_in(folder: Path, args: argparse.Namespace) -> list[str]:
  if args.plot:
    raise InputError(f'{args.plot}: a picture is of one file, {len(args.midi)} are given; play the one to draw on its own')
  name, count = Counter(Path(path).stem for path in args.midi).most_common(1)[0]
  if count > 1:
    raise InputError(f'{name}: {count} files of this name would become one, {folder / name}.wav; play them one after another')
  if folder.exists() and not folder.is_dir():
    raise InputError(f'{folder}: is a file; for {len(args.midi)} files give the folder that theirs are written to')
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise InputError(f'{folder}: {e.strerror}; give a folder that can be written') from None
  return [str(folder / f'{Path(path).stem}.wav') for path in args.midi]


def _watched(segments: Iterable[Progress], progress: tqdm) -> Iterator[Progress]:
  for at in segments:
    progress.update()
    yield at


def _kept(mels: Iterable[np.ndarray], kept: list[np.ndarray] | None) -> Iterator[np.ndarray]:
  for mel in mels:
    if kept is not None:
      kept.append(mel)
    yield mel
