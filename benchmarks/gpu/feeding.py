"""Examples a second that the host makes of music in memory: does the input pipeline keep up with the device?"""

import os
import time

from benchmarks.gpu import material
from benchmarks.gpu.jobs import Job

BATCH = 64
BATCHES = 20


def jobs(tiny: bool) -> list[Job]:
  return [
    Job(f'feeding/{f"{workers} processes" if workers else "threads"}', lambda: None, lambda _, workers=workers: measured(workers, tiny))
    for workers in (0, 2 if tiny else 8)
  ]


def measured(workers: int, tiny: bool) -> dict:
  # Not above: they need packages that a machine without a sound card's libraries may lack.
  from benchmarks.training import song
  from mt3_synth.data.loader import CropLoader
  from mt3_synth.data.sources import SongsInMemory

  songs = [song(60, seed) for seed in range(4)]
  batch, batches = (4, 2) if tiny else (BATCH, BATCHES)
  loader = CropLoader([SongsInMemory(songs)], material.config_of('diffusion', 'base', tiny), batch, 0, workers=workers)
  with loader.walk() as walk:
    for _ in range(2):
      next(walk)
    start = time.perf_counter()
    for _ in range(batches):
      next(walk)
    seconds = time.perf_counter() - start
  return {'examples_per_second': batches * batch / seconds, 'cores': os.cpu_count()}
