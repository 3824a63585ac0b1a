"""Training examples a second from SeqIO tasks, against the Grain loader on the same corpus of ten hours.

`python -m benchmarks seqio_rate`.  SeqIO's examples hold log-mel spectrograms, which the host computes; the Grain loader's hold audio, and
the spectrograms are the accelerator's.  So the Grain loader is also measured with the spectrograms computed on the host.
"""

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.loader import BATCH, HOURS, prepared
from mt3_synth.config import ModelConfig
from mt3_synth.data.loader import CropLoader
from mt3_synth.data.prepared import PreparedSplit
from mt3_synth.data.sources import PreparedSource

BATCHES = 10


def speed(batches: Iterator[dict[str, Any]], size: int, count: int) -> tuple[float, float]:
  """Examples a second after the first two batches, and milliseconds that a core is busy with one."""
  for _ in range(2):
    next(batches)
  start, busy = time.perf_counter(), time.process_time()
  for _ in range(count):
    next(batches)
  examples = count * size
  return examples / (time.perf_counter() - start), (time.process_time() - busy) / examples * 1e3


def run(hours: float = HOURS, batch_size: int = BATCH, batches: int = BATCHES) -> dict:
  """Measures batches as the trainer takes them: tokens of N 2048, context and target of 256 frames, host arrays.

  Returns:
    examples a second and a core's milliseconds for one: of SeqIO, of Grain, and of Grain with spectrograms on the host; the ratio of
    SeqIO to the last, which does the same work, and to the second; the machine's load before.
  """
  import jax

  from mt3_synth.audio.mel import log_mel
  from mt3_synth.data.tasks.batches import TaskLoader

  config, folder = ModelConfig(), prepared(hours)
  network, mel = config.network, jax.jit(log_mel, static_argnums=(1, 2))
  grain = CropLoader([PreparedSource(PreparedSplit(folder, 'train'))], config, batch_size, 0)

  def with_mels(walk):
    cpu = jax.local_devices(backend='cpu')[0]
    for batch in walk:
      with jax.default_device(cpu):
        targets, context = (
          mel(batch['audio'], config.mel, network.target_frames),
          mel(batch['context_audio'], config.mel, network.context_frames),
        )
        yield batch | {'targets': np.asarray(targets), 'targets_context': np.asarray(context)}

  figures: dict[str, Any] = {'load_before': os.getloadavg()[0], 'cores': os.cpu_count(), 'hours': hours, 'batch_size': batch_size}
  for name, walk, wrap in (
    ('seqio', TaskLoader([folder], config, batch_size, 0).walk(), iter),
    ('grain', grain.walk(), iter),
    ('grain_with_mels', grain.walk(), with_mels),
  ):
    with walk:
      figures[f'{name}_examples_per_second'], figures[f'{name}_cpu_ms_per_example'] = speed(wrap(walk), batch_size, batches)
  rate = lambda name: figures[f'{name}_examples_per_second']
  return figures | {'ratio': rate('seqio') / rate('grain_with_mels'), 'ratio_to_grain': rate('seqio') / rate('grain')}
