"""Seconds of computing for a second of audio: the published procedure, this one, the autoregressive decoder, and the inverters.

A walk of n steps is taken to be what two walks of MORE and FEWER steps tell: their difference is steps, the rest is done once.
"""

import tempfile
import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import published
from benchmarks.gpu import material
from benchmarks.gpu.jobs import Job, seconds_of
from mt3_synth.audio.mel import unscale
from mt3_synth.config import InverterConfig, MelConfig, SamplerConfig
from mt3_synth.inverter.gan import GanInverter, initial_params
from mt3_synth.inverter.griffin_lim import GriffinLim
from mt3_synth.models import operations
from mt3_synth.models.model import Model, make_model
from mt3_synth.models.pretrained import save_pretrained

FEWER, MORE = 5, 25
STEPS = (1000, 100, 50, 25, 10)
GUIDANCE = 2.0
TAKEN = 1.5  # seconds of measuring each


class Case(NamedTuple):
  how: str  # `ours` or `published`
  size: str
  dtype: str
  batch: int

  @property
  def name(self) -> str:
    return f'synthesis/{self.how} {self.size} {self.dtype} {self.batch}'


CASES = (
  Case('ours', 'base', 'bfloat16', 1),
  Case('published', 'base', 'bfloat16', 1),
  Case('ours', 'small', 'bfloat16', 1),
  Case('ours', 'base', 'bfloat16', 32),
  Case('ours', 'base', 'float32', 1),
  Case('published', 'base', 'float32', 1),
  Case('published', 'small', 'bfloat16', 1),
  Case('ours', 'small', 'bfloat16', 32),
  Case('ours', 'small', 'float32', 1),
  Case('ours', 'base', 'float32', 32),
)
DECODED = (('base', 1), ('base', 32), ('small', 1), ('small', 32))


class Ready(NamedTuple):
  model: Model
  programs: dict[int, Any]  # by steps
  arguments: tuple
  inverter: GriffinLim | None


def jobs(tiny: bool) -> list[Job]:
  return [Job(case.name, partial(prepared, case, tiny), partial(measured, case)) for case in CASES]


def decoder_jobs(tiny: bool) -> list[Job]:
  return [
    Job(f'autoregressive/{size} bfloat16 {batch}', partial(prepared_decoder, size, batch, tiny), measured_decoder)
    for size, batch in DECODED
  ]


def inverter_jobs(tiny: bool) -> list[Job]:
  frames = 64 if tiny else 1024
  made = []
  for rows in (1, 2 if tiny else 32):
    made.append(Job(f'inverter/griffin_lim {rows}', partial(prepared_inverter, GriffinLim, rows, frames), measured_inverter))
    made.append(Job(f'inverter/gan {rows}', partial(prepared_inverter, _gan, rows, frames), measured_inverter))
  return made


def prepared(case: Case, tiny: bool) -> Ready:
  config = material.with_network(material.config_of('diffusion', case.size, tiny), dtype=case.dtype)
  network = config.network
  batch = min(case.batch, 2) if tiny else case.batch
  length = min(material.BUCKET if case.how == 'ours' else 2048, network.note_length)
  model = make_model(config)
  told = material.conditions(config, batch, length, min(material.VALID_TOKENS, length // 2))
  programs = {}
  for steps in (FEWER, MORE):
    how = SamplerConfig('ddpm', steps, GUIDANCE)

    def draw(params, told, key, how=how):
      if case.how == 'ours':
        return model.predict(params, told, key, how)
      with published.published_attention():
        return published.draw(model.network.bind({'params': params}), config, told, key, how)

    programs[steps] = jax.jit(draw).lower(material.shapes_of(config), told, jax.random.key(0)).compile()
  inverter = None
  if case.batch == 1 and case.how == 'ours':
    inverter = GriffinLim(config.mel)
    inverter(_mel(1, network.target_frames))
  return Ready(model, programs, (material.params_of(config), told, jax.random.key(0)), inverter)


def measured(case: Case, ready: Ready) -> dict:
  config, (params, told, key) = ready.model.config, ready.arguments
  network, batch = config.network, told.batch_size
  taken = {steps: seconds_of(partial(program, params, told, key), TAKEN) for steps, program in ready.programs.items()}
  middle = {steps: float(np.median(each)) for steps, each in taken.items()}
  step = (middle[MORE] - middle[FEWER]) / (MORE - FEWER)
  once = middle[MORE] - MORE * step
  audio = batch * network.target_frames / config.mel.frames_per_second
  work = batch * operations.guided_step(network, told.notes.shape[1] + network.context_frames)
  figures: dict[str, Any] = {
    'batch': batch,
    f'walk_of_{MORE}_milliseconds': 1e3 * middle[MORE],
    f'walk_of_{MORE}_least_milliseconds': 1e3 * taken[MORE][0],
    'step_milliseconds': 1e3 * step,
    'once_milliseconds': 1e3 * once,
    'step_teraflops_per_second': work / step / 1e12,
    f'times_real_time_at_{MORE}': audio / middle[MORE],
  }
  figures |= {f'seconds_per_audio_second_at_{steps}': (once + steps * step) / audio for steps in STEPS}
  if ready.inverter is not None:
    figures['first_audio_milliseconds'] = 1e3 * _first_audio(ready)
  return figures


def _first_audio(ready: Ready) -> float:
  """From a segment's notes to its sound on the host, the programs being compiled."""
  program, inverter = ready.programs[MORE], ready.inverter
  assert inverter is not None

  def play():
    return inverter(unscale(np.asarray(program(*ready.arguments)), inverter.mel))

  play()
  start = time.perf_counter()
  play()
  return time.perf_counter() - start


def prepared_decoder(size: str, batch: int, tiny: bool) -> tuple:
  config = material.with_network(material.config_of('autoregressive', size, tiny), dtype='bfloat16')
  model: Any = make_model(config)
  length = config.network.note_length  # its encoder hears padding: rows are not cut
  told = material.conditions(config, min(batch, 2) if tiny else batch, length, min(material.VALID_TOKENS, length // 2))
  program = jax.jit(model.decode).lower(material.shapes_of(config), told, jax.random.key(0)).compile()
  return config, program, (material.params_of(config), told, jax.random.key(0))


def measured_decoder(ready: tuple) -> dict:
  config, program, arguments = ready
  seconds = float(np.median(seconds_of(partial(program, *arguments), TAKEN)))
  frames = arguments[1].batch_size * config.network.target_frames
  return {
    'segment_milliseconds': 1e3 * seconds,
    'frames_per_second': frames / seconds,
    'times_real_time': frames / seconds / config.mel.frames_per_second,
  }


def prepared_inverter(make: Any, rows: int, frames: int) -> tuple:
  inverter, mel = make(), _mel(rows, frames)
  inverter(mel)
  return inverter, mel


def measured_inverter(ready: tuple) -> dict:
  inverter, mel = ready
  seconds = seconds_of(lambda: inverter(mel), TAKEN)[0]
  return {'milliseconds': 1e3 * seconds, 'times_real_time': mel.shape[0] * mel.shape[1] / MelConfig().frames_per_second / seconds}


def _gan() -> GanInverter:
  """Of random weights, which cost what trained ones do."""
  config = InverterConfig()
  with tempfile.TemporaryDirectory() as folder:
    save_pretrained(folder, config, initial_params(jax.random.key(0), config))
    return GanInverter(folder)


def _mel(rows: int, frames: int) -> np.ndarray:
  return np.random.default_rng(0).uniform(-8, 1, (rows, frames, MelConfig().bands)).astype(np.float32)


def device_jobs(tiny: bool) -> list[Job]:
  return [Job('device/products and memory', lambda: None, lambda _: device(tiny))]


def device(tiny: bool) -> dict:
  """What the device makes of a large product and of a copy, and two ways to the gradient of an embedding table."""
  n = 256 if tiny else 8192
  draw = lambda seed, *shape: jax.random.normal(jax.random.key(seed), shape, jnp.bfloat16)
  a, b = draw(0, n, n), draw(1, n, n)
  figures = {'bfloat16_product_teraflops_per_second': 2 * n**3 / seconds_of(partial(jax.jit(jnp.matmul), a, b), 0.3)[0] / 1e12}
  wide = jax.random.normal(jax.random.key(2), (n, 4 * n))
  figures['copy_gigabytes_per_second'] = 2 * wide.nbytes / seconds_of(partial(jax.jit(lambda x: x + 1), wide), 0.3)[0] / 1e9
  ids = material.tokens(4, 8 * n // 32, n // 16).reshape(-1) if tiny else material.tokens(32, 2048, material.VALID_TOKENS).reshape(-1)
  grads = draw(3, len(ids), 768)
  by_rows = jax.jit(lambda ids, g: jnp.zeros((1536, 768)).at[ids].add(g.astype(jnp.float32)))
  by_product = jax.jit(lambda ids, g: jnp.matmul(jax.nn.one_hot(ids, 1536, dtype=g.dtype, axis=0), g, preferred_element_type=jnp.float32))
  figures['embedding_gradient_by_rows_milliseconds'] = 1e3 * seconds_of(partial(by_rows, ids, grads), 0.3)[0]
  figures['embedding_gradient_by_product_milliseconds'] = 1e3 * seconds_of(partial(by_product, ids, grads), 0.3)[0]
  return figures
