"""Kills a tiny run at random moments, goes on with it, and compares its end with that of a run that was left alone, bit for bit.

  python -m tests.training.kills --kills 100 --seed 0

Each life of the run is `mt3-synth train` in a process of its own, forked from one that has imported the modules.  SIGKILL or SIGTERM comes
at a random moment: before the first step, while steps are taken, or while a checkpoint, one every other step, is being written.
"""

import argparse
import collections
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import mt3_synth.train  # noqa: F401  the forks have it
from mt3_synth import cli
from mt3_synth.models.stored_arrays import array_names, read_arrays
from tests.data.tiny import CONTEXT, FRAMES, write_corpus

STEPS = 60
GIN = f"""
include 'gin_configs/train.gin'
TRAIN_STEPS = {STEPS}
BATCH_SIZE = 2
NetworkConfig.conditioning = 'aligned'
NetworkConfig.note_length = 64
NetworkConfig.target_frames = {FRAMES}
NetworkConfig.context_frames = {CONTEXT}
NetworkConfig.emb_dim = 16
NetworkConfig.num_heads = 1
NetworkConfig.head_dim = 16
NetworkConfig.encoder_layers = 1
NetworkConfig.decoder_layers = 1
NetworkConfig.mlp_dim = 32
NetworkConfig.note_features = 8
OptimizerConfig.learning_rate = 0.01
TrainConfig.log_every = 3
TrainConfig.eval_every = 10
TrainConfig.eval_batches = 1
TrainConfig.save_every = 2
TrainConfig.keep = 2
TrainConfig.keep_every = 20
"""


class Run:
  """A run's folder, and its lives."""

  def __init__(self, folder: Path, root: Path):
    self.folder = folder
    binding = [f"--gin.MODEL_DIR='{folder}'", f"--gin.CORPORA=('{root / 'corpus'}',)"]
    self.command = ['train', '--gin_file', str(root / 'tiny.gin'), *binding]
    self.said = folder.with_suffix('.err')

  def live(self) -> int:
    """Starts, or goes on; returns the process."""
    return fork(lambda: cli.main(self.command), self.said)

  def lines(self) -> list[dict]:
    """Its metrics but for times."""
    text = (self.folder / 'metrics.jsonl').read_text()
    return [{name: value for name, value in json.loads(line).items() if 'second' not in name} for line in text.splitlines()]

  def end(self) -> dict[str, str]:
    """Hashes of all arrays of the last checkpoint, by a process of its own: tensorstore does not work in forks of one that has used it."""
    file = self.folder / 'hashes.json'
    status = wait(fork(lambda: file.write_text(json.dumps(self._hashes())) and 0, self.said), 600)
    assert status == 0, self.said.read_text()
    return json.loads(file.read_text())

  def _hashes(self) -> dict[str, str]:
    found = {}
    for part in ('ema', 'state'):
      path = self.folder / 'checkpoints' / str(STEPS) / part
      arrays = read_arrays(path, array_names(path))
      found |= {f'{part}.{name}': f'{x.dtype}{x.shape} {hashlib.sha256(x.tobytes()).hexdigest()}' for name, x in arrays.items()}
    return found


def fork(do: Callable[[], int], said: Path) -> int:
  """A process that ends with the status that `do` returns; what it prints is in `said`."""
  child = os.fork()
  if child:
    return child
  status = 1
  try:
    with said.open('w') as file:
      os.dup2(file.fileno(), 1)
      os.dup2(file.fileno(), 2)
    status = do()
  except BaseException:
    traceback.print_exc()
  finally:
    os._exit(status)


def wait(child: int, seconds: float) -> int | None:
  """The exit status (negative: the signal) of a process that ends within so long, else None."""
  until = time.monotonic() + seconds
  while True:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
      return os.waitstatus_to_exitcode(status)
    if time.monotonic() > until:
      return None
    time.sleep(0.005)


def has_started(run: Run, child: int) -> bool:
  """Whether that life has found where to go on: it opens its logs then."""
  return any(run.folder.glob(f'events*.{child}'))


def is_saving(run: Run) -> bool:
  return any((run.folder / 'checkpoints').glob('*tmp*'))


def kill_at_random(run: Run, rng: random.Random, seconds_to_start: float, seconds_of_steps: float) -> tuple[str, int]:
  """One life, ended by a signal: (which, exit status).  The signal is '' if the run was done before."""
  child, moment = run.live(), rng.random()
  if moment < 0.25:
    status = wait(child, rng.uniform(0, seconds_to_start))
  else:
    while (status := wait(child, 0.01)) is None and not has_started(run, child):
      pass
    status = wait(child, rng.uniform(0, seconds_of_steps)) if status is None else status
    while moment > 0.7 and status is None and not is_saving(run):
      status = wait(child, 0.001)
  if status is not None:
    return '', status
  chosen = rng.choice([signal.SIGKILL, signal.SIGTERM])
  os.kill(child, chosen)
  status = wait(child, 600)
  if status is None:
    os.kill(child, signal.SIGKILL)
    raise TimeoutError(f'{run.folder}: still there 600 s after {chosen.name}')
  return chosen.name, status


def undisturbed(run: Run) -> tuple[Run, float, float]:
  """A whole life: the run, seconds until its first step, and seconds from there."""
  child, start = run.live(), time.monotonic()
  started = start
  while (status := wait(child, 0.01)) is None:
    started = started if has_started(run, child) else time.monotonic()
  assert status == 0, run.said.read_text()
  return run, started - start, time.monotonic() - started


def main() -> int:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--kills', type=int, default=100)
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args()
  rng, counts = random.Random(args.seed), collections.Counter()
  with tempfile.TemporaryDirectory() as temporary:
    root = Path(temporary)
    os.environ |= {'MT3_SYNTH_CACHE': str(root / 'cache'), 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0'}
    write_corpus(root / 'corpus')
    (root / 'tiny.gin').write_text(GIN)
    alone, *seconds = [undisturbed(Run(root / f'alone_{n}', root)) for n in range(2)][
      -1
    ]  # finds its programs compiled, as all later ones do
    expected, lines = alone.end(), alone.lines()
    print(f'alone: {seconds[0]:.1f} s to start, {seconds[1]:.1f} s for {STEPS} steps', flush=True)

    number, killed = 0, 0
    run = Run(root / 'run_0', root)
    while killed < args.kills or number == 0:
      name, status = kill_at_random(run, rng, seconds[0], seconds[1] / 15)
      killed += bool(name)
      counts[f'{name or "done"}: status {status}'] += 1
      counts['died while a checkpoint was written'] += is_saving(run)
      said = run.said.read_text()
      if status not in {'': (0,), 'SIGKILL': (-9, 0, 75), 'SIGTERM': (0, 75, -15)}[name]:
        print(f'{run.folder.name}, {name}: exit status {status}\n{said}')
        return 1
      counts['fell back to an older checkpoint'] += 'and the one before it is taken' in said
      if status == 0:
        _compare(run, expected, lines)
        number += 1
        print(f'run {number}: equal after {killed} kills so far', flush=True)
        run = Run(root / f'run_{number}', root)
    child = run.live()
    assert wait(child, 600) == 0, run.said.read_text()
    _compare(run, expected, lines)
  print(f'{killed} kills, {number + 1} runs, all equal to the one left alone; ' + '; '.join(f'{n} × {what}' for what, n in counts.items()))
  return 0


def _compare(run: Run, expected: dict[str, str], lines: list[dict]) -> None:
  found = run.end()
  differ = [name for name in expected.keys() | found.keys() if found.get(name) != expected.get(name)]
  assert not differ, f'{run.folder.name}: {len(differ)} arrays differ, {differ[0]} for one'
  assert run.lines() == lines, f'{run.folder.name}: metrics.jsonl differs'


if __name__ == '__main__':
  sys.exit(main())
