"""How many sampling steps are enough: `python -m benchmarks.steps [--checkpoint DIR] [--corpus embedded] [--out docs/steps]`.

For each sampler and number of steps, the held-out pieces' first segments are played, and measured against their recordings:
- mel L1: the mean absolute difference of the log-mels, natural logarithm;
- Fréchet: the distance between Gaussians fitted to the log-mel frames [D] of all pieces, pooled (`frechet_distance`, `standard`): whether
  frames are distributed as those of recordings are, which a blurred prediction's are not, however small its L1;
- seconds of sampling for a second of audio, compilation not counted.
The cheapest has the fewest steps, each one evaluation of the network, of those whose L1 and Fréchet are at most 2 % above those of DDPM
with 1000 steps; of equals, the smallest Fréchet.

Writes OUT.json, after every cell, and OUT.png; what is in OUT.json already is not measured again, so it can be interrupted.
"""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from mt3_synth.config import SamplerConfig
from mt3_synth.data.songs import read_corpus
from mt3_synth.evaluation.frechet import frechet_distance
from mt3_synth.evaluation.held_out import song_mel, table
from mt3_synth.evaluation.spectral import mel_l1
from mt3_synth.pipeline import SpectrogramDiffusionPipeline, seed_keys

SAMPLERS = ('ddpm', 'ddim', 'dpmpp_2m', 'dpmpp_2m_sde')
STEPS = (5, 10, 25, 50, 100, 1000)
REFERENCE = ('ddpm', 1000)
TOLERANCE = 0.02
MEASURES = ('mel L1 [ln]', 'Fréchet', 'seconds per audio second')


def measure(pipeline: SpectrogramDiffusionPipeline, scores: list, targets: list[np.ndarray], how: SamplerConfig) -> dict[str, float]:
  """`MEASURES` of pieces played as `how` says."""
  network = pipeline.config.network
  keys = seed_keys(0, None, len(scores))
  mels = [np.zeros_like(target) for target in targets]
  segments, starts = pipeline.play(scores, how, keys), [time.perf_counter()]
  for at in segments:
    start = at.segment * network.target_frames
    mels[at.song][start : start + len(at.mel)] = at.mel
    starts.append(time.perf_counter())
  # The first segments' program is compiled within their time: of a walk, the others' are taken.
  count = len(scores)
  frames = network.target_frames / pipeline.config.mel.frames_per_second
  seconds = (starts[-1] - starts[count]) / (frames * (len(starts) - 1 - count))
  l1 = float(np.mean([mel_l1(target, mel) for target, mel in zip(targets, mels, strict=True)]))
  return dict(zip(MEASURES, (l1, frechet_distance(np.concatenate(targets), np.concatenate(mels)), seconds), strict=True))


def cheapest(cells: dict[str, dict[str, Any]]) -> str | None:
  """The cell of the fewest steps within TOLERANCE of the reference on both distances; None without the reference."""
  reference = cells.get('{} {} time'.format(*REFERENCE))
  if reference is None:
    return None
  enough = [name for name, cell in cells.items() if all(cell[each] <= (1 + TOLERANCE) * reference[each] for each in MEASURES[:2])]
  return min(enough, key=lambda name: (cells[name]['steps'], cells[name]['Fréchet']))


def plot(cells: dict[str, dict[str, Any]]) -> Figure:
  figure = Figure(figsize=(10, 4), layout='constrained')
  for axes, name in zip(figure.subplots(1, 2), MEASURES[:2], strict=True):
    for line in sorted({(cell['sampler'], cell['spacing']) for cell in cells.values()}):
      of_line = sorted((cell['steps'], cell[name]) for cell in cells.values() if (cell['sampler'], cell['spacing']) == line)
      axes.plot(*zip(*of_line, strict=True), marker='o', linestyle='-' if line[1] == 'time' else '--', label=' '.join(line))
    axes.set(xscale='log', xlabel='steps', title=name)
  figure.axes[0].legend()
  return figure


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--checkpoint')
  parser.add_argument('--corpus', default='embedded')
  parser.add_argument('--split', default='test')
  parser.add_argument('--segments', type=int, default=4, help='of each piece')
  parser.add_argument('--samplers', nargs='+', default=SAMPLERS)
  parser.add_argument('--steps', nargs='+', type=int, default=STEPS)
  parser.add_argument('--spacing', default='time')
  parser.add_argument('--out', default='docs/steps', help='a path without suffix')
  args = parser.parse_args()
  pipeline = SpectrogramDiffusionPipeline.from_pretrained(args.checkpoint)
  frames = args.segments * pipeline.config.network.target_frames
  songs = [song for song in read_corpus(args.corpus, args.split) if len(song.audio) >= frames * pipeline.config.mel.hop]
  targets = [song_mel(song, pipeline.config.mel)[:frames] for song in songs]
  scores = [dataclasses.replace(pipeline.score(song.notes), frames=frames) for song in songs]
  file = Path(f'{args.out}.json')
  about = {
    'checkpoint': args.checkpoint or 'the demonstration checkpoint',
    'pieces': [song.name for song in songs],
    'frames': frames,
    'guidance': pipeline.config.sampler.guidance,
  }
  report = json.loads(file.read_text()) if file.exists() else about | {'cells': {}}
  if {name: report.get(name) for name in about} != about:
    parser.error(f'{file} is of other pieces or another model; give another --out, or remove it')
  cells = report['cells']
  for steps, sampler in tqdm([(steps, sampler) for steps in args.steps for sampler in args.samplers], unit='cell'):
    name = f'{sampler} {steps} {args.spacing}'
    if name not in cells:
      how = pipeline.sampling(name=sampler, steps=steps, spacing=args.spacing)
      cells[name] = {'sampler': sampler, 'steps': steps, 'spacing': args.spacing} | measure(pipeline, scores, targets, how)
      report['cheapest'] = cheapest(cells)
      part = file.with_suffix('.part')
      part.parent.mkdir(parents=True, exist_ok=True)
      part.write_text(json.dumps(report, indent=2) + '\n')
      os.replace(part, file)
  print(table([{**cells[name]} for name in sorted(cells, key=lambda name: (cells[name]['steps'], name))]))
  print(f'the cheapest within {TOLERANCE:.0%} of {REFERENCE[0]} with {REFERENCE[1]} steps: {cheapest(cells)}')
  plot(cells).savefig(f'{args.out}.png', dpi=90)


if __name__ == '__main__':
  main()
