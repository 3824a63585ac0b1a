"""Seconds of sampling for a second of audio, the tiny model: its own 10 steps, against 100 steps and against guidance.

`python -m benchmarks sampling`
"""

import time

import jax

from benchmarks.training import GIN_FILE, song
from mt3_synth.config import SamplerConfig
from mt3_synth.gin_files import read_gin
from mt3_synth.inverter.griffin_lim import GriffinLim
from mt3_synth.models.context_diffusion import ContextDiffusion
from mt3_synth.pipeline import SpectrogramDiffusionPipeline
from mt3_synth.training.config import TrainConfig
from mt3_synth.training.step import new_params

SECONDS = 20
STEPS, MORE_STEPS, GUIDANCE = 10, 100, 2.0


def sampling_seconds(pipe: SpectrogramDiffusionPipeline, notes, how: SamplerConfig) -> float:
  """To walk along a piece to its mel, for each second of it; compilation is not counted."""
  next(pipe.segments(notes, how))
  start = time.perf_counter()
  frames = sum(len(mel) for mel in pipe.segments(notes, how))
  return (time.perf_counter() - start) / (frames / pipe.config.mel.frames_per_second)


def run(seconds: float = SECONDS) -> dict:
  """Measures segment after segment, as a piece is played, with parameters of no training: the time does not depend on them.

  Returns:
    seconds of sampling for a second of audio, times real time, and what more steps and guidance cost, as ratios.
  """
  model = read_gin(TrainConfig, [GIN_FILE], ["MODEL_DIR = 'unused'", "CORPORA = ('unused',)"]).model
  params = jax.device_get(new_params(jax.random.key(0), model=ContextDiffusion(model)))
  pipe = SpectrogramDiffusionPipeline(model, params, GriffinLim(model.mel))
  notes = song(seconds).notes
  plain = sampling_seconds(pipe, notes, SamplerConfig('ddim', STEPS, 1.0))
  more = sampling_seconds(pipe, notes, SamplerConfig('ddim', MORE_STEPS, 1.0))
  guided = sampling_seconds(pipe, notes, SamplerConfig('ddim', STEPS, GUIDANCE))
  return {
    f'steps_{STEPS}_seconds_per_audio_second': plain,
    f'steps_{STEPS}_times_real_time': 1 / plain,
    f'steps_{MORE_STEPS}_seconds_per_audio_second': more,
    f'steps_{STEPS}_guided_seconds_per_audio_second': guided,
    f'ratio_{MORE_STEPS}_to_{STEPS}_steps': more / plain,
    'ratio_guidance_2_to_1': guided / plain,
  }
