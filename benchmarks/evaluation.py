"""Evaluating ten minutes of audio, sampling and transcription apart: seconds of each part.

`python -m benchmarks evaluation`
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.griffin_lim import music
from mt3_synth.audio.files import write_audio
from mt3_synth.audio.mel import log_mel_in_blocks
from mt3_synth.evaluation.embedders import choose_embedder
from mt3_synth.evaluation.frechet import Moments, frechet_of_moments
from mt3_synth.evaluation.kernel_distance import kernel_distance
from mt3_synth.evaluation.measure import OF_SOUND, Sound, embed_all, measure
from mt3_synth.inverter.griffin_lim import GriffinLim

SECONDS = 600
LIMIT = 30  # seconds, on two cores


def run() -> dict:
  """Seconds for the model's row and the ceiling's together, as `mt3-synth evaluate` does them."""
  audio = np.tile(music(60), SECONDS // 60)
  log_mel_in_blocks(audio[:16000])  # compiled
  embedders = [choose_embedder('logmel_stats')]
  spent, of_cpu = {}, {}

  def timed(name, work):
    start, cpu = time.perf_counter(), time.process_time()
    result = work()
    spent[name], of_cpu[name] = time.perf_counter() - start, time.process_time() - cpu
    return result

  target = timed('log_mel', lambda: Sound(audio, log_mel_in_blocks(audio)))
  noise = np.random.default_rng(0).normal(scale=0.01, size=len(audio)).astype(np.float32)
  made = timed('log_mels', lambda: [Sound(x, log_mel_in_blocks(x)) for x in (audio + noise, 0.9 * audio)])
  of_target = timed('embedding_the_target', lambda: embed_all(audio, embedders))
  rows = timed('measures', lambda: [measure(target, each, embedders, of_target).embeddings['logmel_stats'] for each in made])
  timed('frechet', lambda: [frechet_of_moments(Moments.of(of_target['logmel_stats']), Moments.of(each)) for each in rows])
  timed('kernel', lambda: [kernel_distance(of_target['logmel_stats'], each) for each in rows])
  with tempfile.TemporaryDirectory() as folder:
    timed('writing_sounds', lambda: [write_audio(Path(folder) / 'x.flac', np.clip(each.audio, -1, 1)) for each in (target, *made)])
  whole, whole_cpu = sum(spent.values()), sum(of_cpu.values())
  for key, of_sound in OF_SOUND.items():
    timed(f'{key}_alone', lambda f=of_sound: f(audio, made[0].audio))
  invert = GriffinLim()
  invert(target.mel[None, :64])
  list(invert.stream([target.mel[None, :1200]]))  # its programs are compiled
  timed('griffin_lim', lambda: list(invert.stream([target.mel[None]])))
  return {
    'seconds_per_10_minutes': whole,
    'cpu_seconds_per_10_minutes': whole_cpu,  # of all cores; what it takes on a machine that is busy with other work too
    'within_the_limit_of_30_seconds': whole < LIMIT,
    'seconds_per_10_minutes_with_two_inversions': whole + 2 * spent['griffin_lim'],
    **{f'{name}_seconds': seconds for name, seconds in spent.items()},
  }
