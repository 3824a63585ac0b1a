"""Aligned notes against event tokens: what equal minutes of training teach a diffusion and an autoregressive decoder.

`python -m benchmarks.conditioning --out DIR [--minutes 10]` trains four tiny models on the embedded corpus side by side, in turns of some
seconds, so that whatever else the machine does slows all alike, and plays the held-out pieces with each on the way.  Writes
conditioning.json and, where matplotlib is, conditioning.png; the same command goes on where it was interrupted.
"""

import argparse
import dataclasses
import importlib.util
import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from benchmarks.__main__ import machine
from mt3_synth.compilation import cache_compiled_programs
from mt3_synth.config import MelConfig
from mt3_synth.data.songs import Song, read_corpus
from mt3_synth.evaluation.held_out import MEASURES, average, mean_spectrum, measure_constant, play_and_measure, table
from mt3_synth.gin_files import read_gin
from mt3_synth.inverter.griffin_lim import GriffinLim
from mt3_synth.models.model import make_model
from mt3_synth.pipeline import SpectrogramDiffusionPipeline
from mt3_synth.training.checkpoints import Checkpoints
from mt3_synth.training.config import TrainConfig
from mt3_synth.training.feeding import make_loader, on_device
from mt3_synth.training.optimizer import make_optimizer
from mt3_synth.training.step import new_params, new_state, train_step

DECODERS = {'diffusion': 'diffusion/context/tiny.gin', 'autoregressive': 'ar/deterministic/tiny.gin'}
TOKENS = ["NetworkConfig.conditioning='tokens'", 'NetworkConfig.note_length=512', 'NetworkConfig.encoder_layers=2']
TURN = 15.0  # seconds
MEASURED_AT = (0.5, 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 45, 60)  # minutes of training
COLOURS = {'diffusion': '#0072b2', 'autoregressive': '#d55e00'}
LINES = {'aligned': '-', 'tokens': '--'}


@dataclasses.dataclass
class Cell:
  """One model in training."""

  name: str
  config: TrainConfig
  state: Any
  batches: Any
  checkpoints: Checkpoints
  seconds: float = 0.0  # of training, compilation and playing aside

  def train(self, seconds: float, key: jax.Array) -> None:
    model, tx = make_model(self.config.spectrogram_model), make_optimizer(self.config.optimizer, self.config.total_steps)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
      self.state, metrics = train_step(self.state, next(self.batches)[0], key, model=model, tx=tx, ema_decay=self.config.ema_decay)
      jax.block_until_ready(metrics)
    self.seconds += time.perf_counter() - start

  def measure(self, songs: list[Song]) -> dict[str, float]:
    pipeline = SpectrogramDiffusionPipeline(
      self.config.spectrogram_model, jax.device_get(self.state.ema), GriffinLim(self.config.spectrogram_model.mel, 16)
    )
    return average([score for *_, score in play_and_measure(pipeline, songs, self.config.spectrogram_model.mel)])


def cells(folder: Path) -> dict[str, TrainConfig]:
  """The configurations, by name."""
  common = ["CORPORA=('embedded',)", 'BATCH_SIZE=8', "OptimizerConfig.schedule='constant'", 'TRAIN_STEPS=1000000']
  configs = {}
  for decoder, file in DECODERS.items():
    for conditioning in LINES:
      name = f'{decoder}, {conditioning}'
      run = f"MODEL_DIR='{folder / name.replace(', ', '_')}'"
      configs[name] = read_gin(TrainConfig, [f'gin_configs/models/{file}'], [*common, run, *(TOKENS if conditioning == 'tokens' else [])])
  return configs


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--out', type=Path, required=True)
  parser.add_argument('--minutes', type=float, default=10)
  parser.add_argument('--plot', action='store_true', help='only draw what DIR/conditioning.json holds')
  args = parser.parse_args()
  cache_compiled_programs()
  args.out.mkdir(parents=True, exist_ok=True)
  file = args.out / 'conditioning.json'
  if args.plot:
    draw(json.loads(file.read_text()), args.out / 'conditioning.png')
    return
  report: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {'points': []}
  songs, mel = read_corpus('embedded', 'test'), MelConfig()
  report |= machine() | {'mean spectrogram': average(measure_constant(mean_spectrum(read_corpus('embedded', 'train'), mel), songs, mel))}
  with ExitStack() as stack:
    running = [_open(name, config, report, stack) for name, config in cells(args.out / 'runs').items()]
    key = jax.random.key(1)
    stops = [60 * at for at in MEASURED_AT if at < args.minutes] + [60 * args.minutes]
    with tqdm(total=round(len(running) * stops[-1]), unit='s', initial=round(sum(cell.seconds for cell in running))) as progress:
      for stop in stops:
        while waiting := [cell for cell in running if cell.seconds < stop]:
          for cell in waiting:
            before = cell.seconds
            cell.train(min(TURN, stop - before), key)
            progress.update(round(cell.seconds - before))
        for cell in running:
          if not any(point['model'] == cell.name and point['due'] == stop for point in report['points']):
            point: dict[str, Any] = {
              'model': cell.name,
              'due': stop,
              'minutes': cell.seconds / 60,
              'steps': int(cell.state.step),
            } | cell.measure(songs)
            report['points'].append(point)
            cell.checkpoints.save(cell.state, {})
            file.write_text(json.dumps(report, indent=1) + '\n')
            progress.write(table([point]))
  last = [max((point for point in report['points'] if point['model'] == cell.name), key=lambda point: point['due']) for cell in running]
  print(table(last))
  if importlib.util.find_spec('matplotlib'):
    draw(report, args.out / 'conditioning.png')


def _open(name: str, config: TrainConfig, report: dict, stack: ExitStack) -> Cell:
  """A cell as it was when it was last measured, or new; its programs compiled."""
  model, tx = make_model(config.spectrogram_model), make_optimizer(config.optimizer, config.total_steps)
  checkpoints = stack.enter_context(Checkpoints(Path(config.model_dir), keep=1))
  fresh = lambda: new_state(new_params(jax.random.key(0), model=model), tx)
  saved = checkpoints.restore(fresh())
  state = saved.state if saved else fresh()
  step = int(state.step)
  batches = stack.enter_context(make_loader(config, 'train').walk())
  batches.set_state({'next_batch': step})
  cell = Cell(name, config, fresh(), on_device(batches), checkpoints)
  cell.train(0.001, jax.random.key(0))  # compiles; that step is not kept
  done = [point['minutes'] for point in report['points'] if point['model'] == name and point['steps'] <= step]
  cell.state, cell.seconds = state, 60 * max(done, default=0.0)
  return cell


def draw(report: dict, path: Path) -> None:
  """Mel L1 and correlation over minutes of training."""
  from matplotlib.figure import Figure  # here: training machines may have none, and draw elsewhere, by --plot

  figure = Figure(figsize=(10, 3.8), dpi=110, layout='constrained')
  for axes, measure in zip(figure.subplots(1, 2), MEASURES[:2], strict=True):
    for name in dict.fromkeys(point['model'] for point in report['points']):
      decoder, conditioning = name.split(', ')
      points = sorted((point['minutes'], point[measure]) for point in report['points'] if point['model'] == name)
      axes.plot(*np.transpose(points), LINES[conditioning], marker='.', color=COLOURS[decoder], label=name)
    axes.axhline(report['mean spectrogram'][measure], color='#888888', linestyle=':', label='per-band mean')
    axes.set_xlabel('minutes of training')
    axes.set_ylabel(f'{measure}, held out')
    axes.grid(alpha=0.3)
  figure.axes[0].legend(frameon=False, fontsize=9)
  figure.savefig(path)


if __name__ == '__main__':
  main()
