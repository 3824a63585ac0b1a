"""Training steps a second, how much of the device's arithmetic they use, and the memory they take."""

import glob
import gzip
import json
import tempfile
import time
from collections import Counter
from typing import Any, NamedTuple

import jax

from benchmarks.gpu import material
from benchmarks.gpu.jobs import Job
from mt3_synth.config import ModelConfig
from mt3_synth.models import operations
from mt3_synth.models.model import Model, make_model
from mt3_synth.training.config import OptimizerConfig
from mt3_synth.training.optimizer import make_optimizer
from mt3_synth.training.step import TrainState, new_state, train_step
from mt3_synth.training.utilisation import Utilisation

MEASURED = 790e12  # the same, measured on an H200: utilisation is the share of this
SECONDS = 2.0  # of steps, of each case
KERNELS = 30


class Case(NamedTuple):
  size: str
  batch: int
  tokens: int | None = None  # of a row; the published row where None
  valid: int | None = None  # of them; all where None
  changes: tuple[tuple[str, Any], ...] = ()  # of NetworkConfig
  microbatches: int = 1
  kernels: bool = False  # also which kernels take the time

  @property
  def name(self) -> str:
    rows = f' {self.valid or self.tokens} tokens in rows of {self.tokens}' if self.tokens else ''
    parts = f' in {self.microbatches} parts' if self.microbatches > 1 else ''
    return f'training/{self.size} {self.batch}{parts}{rows}{"".join(f" {name}={value}" for name, value in self.changes)}'


FULL = (('remat', 'full'),)
MINIMAL = (('remat', 'minimal'),)
CASES = (
  Case('base', 32, kernels=True),
  Case('base', 64),
  Case('small', 128),
  Case('base', 256, microbatches=8),
  Case('base', 8, changes=(('attention', 'plain'),)),
  Case('base', 8),
  Case('base', 128, changes=MINIMAL),
  Case('base', 64, material.BUCKET, material.VALID_TOKENS),
  Case('base', 32, changes=(('scan_layers', True),)),
  Case('base', 48),
  Case('small', 64),
  Case('small', 192),
  Case('base', 128, changes=FULL),
  Case('small', 128, material.BUCKET, material.VALID_TOKENS),
  Case('small', 16, changes=(('attention', 'plain'),)),
  Case('small', 256, changes=MINIMAL),
)


def jobs(tiny: bool, budget: float = SECONDS) -> list[Job]:
  return [_job(case, tiny, budget) for case in CASES]


def _job(case: Case, tiny: bool, budget: float) -> Job:
  if tiny:
    case = case._replace(batch=max(2, case.microbatches), tokens=case.tokens and 32, valid=case.valid and 20)
  return Job(case.name, lambda: prepared(case, tiny), lambda ready: measured(case, ready, budget))


def prepared(case: Case, tiny: bool) -> tuple[Model, jax.stages.Compiled, float | None]:
  """The model, its compiled step, and, of the first case, the operations that XLA counts in it before it chooses kernels."""
  config = material.with_network(material.config_of('diffusion', case.size, tiny), dtype='bfloat16', **dict(case.changes))
  model, tx = make_model(config), make_optimizer(OptimizerConfig(), 1)
  state = jax.eval_shape(lambda params: new_state(material.boxed(config, params), tx), material.shapes_of(config))
  batch = jax.eval_shape(lambda: _batch(case, model))
  how: Any = {'model': model, 'tx': tx, 'ema_decay': 0.999, 'microbatches': case.microbatches}
  lowered = train_step.lower(state, batch, jax.random.key(0), **how)
  step = lowered.compile()
  material.params_of(config)
  return model, step, _counted(lowered) if case.kernels else None


def _batch(case: Case, model: Model) -> dict[str, Any]:
  length = case.tokens or model.config.network.note_length
  return material.training_batch(model, case.batch, length, case.valid or length)


def _counted(lowered) -> float:
  cost = lowered.cost_analysis()
  cost = cost[0] if isinstance(cost, list) else cost
  return float((cost or {}).get('flops', float('nan')))


def measured(case: Case, ready: tuple[Model, Any, float | None], budget: float) -> dict:
  """Steps one after another, as in training: the host does not wait for each."""
  model, step, counted = ready
  config = model.config
  length = case.tokens or config.network.note_length
  figures: dict[str, Any] = {'batch': case.batch, 'planned_gigabytes': _planned(step)}
  limit = (jax.devices()[0].memory_stats() or {}).get('bytes_limit', float('inf')) / 1e9
  # The parameters that all cases begin with stay.
  if figures['planned_gigabytes'] + _bytes(material.params_of(config)) / 1e9 > limit:
    return figures | {'skipped': f'does not fit: {limit:.1f} gigabytes are there'}
  state = _state(case.size, config)
  batch, key = jax.block_until_ready(_batch(case, model)), jax.random.key(0)
  for _ in range(2):
    state, metrics = step(state, batch, key)
  jax.block_until_ready(state)
  start = time.perf_counter()
  state, metrics = jax.block_until_ready(step(state, batch, key))
  count = max(2, round(budget / (time.perf_counter() - start)))
  start = time.perf_counter()
  for _ in range(count):
    state, metrics = step(state, batch, key)
  jax.block_until_ready(state)
  seconds = (time.perf_counter() - start) / count
  work = case.batch * operations.training_step(config.network, length)
  figures |= {
    'step_milliseconds': 1e3 * seconds,
    'steps_per_second': 1 / seconds,
    'examples_per_second': case.batch / seconds,
    'loss': float(metrics['loss']),
    'skipped_updates': float(metrics['skipped_updates']),
    'operations_per_step': work,
    'floor_milliseconds': 1e3 * work / MEASURED,
    'utilisation': work / seconds / MEASURED,
  }
  if nominal := Utilisation().peak:
    figures['utilisation_of_nominal'] = work / seconds / nominal
  if counted is not None:
    figures['operations_counted_by_xla'] = counted
  if case.kernels:
    figures['kernels'], state = kernels(lambda state: step(state, batch, key)[0], state)
  _states[case.size] = state
  return figures


_states: dict[str, TrainState] = {}  # a step gives its arrays away: what the last case has left, for the next of this size


def _state(size: str, config: ModelConfig) -> TrainState:
  if size in _states:
    return _states.pop(size)
  params = jax.tree.map(lambda x: x.copy(), material.params_of(config))
  return new_state(material.boxed(config, params), make_optimizer(OptimizerConfig(), 1))


def _planned(step) -> float:
  plan = step.memory_analysis()
  return (plan.argument_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes + plan.temp_size_in_bytes) / 1e9


def _bytes(tree) -> int:
  return sum(x.nbytes for x in jax.tree.leaves(tree))


def kernels(step, state, steps: int = 2) -> tuple[dict[str, float], TrainState]:
  """Milliseconds a step of the kernels that take most, equal ones together; numbers at the ends of their names are left out."""
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      for _ in range(steps):
        state = step(state)
      jax.block_until_ready(state)
    (file,) = glob.glob(f'{folder}/**/*.trace.json.gz', recursive=True)
    with gzip.open(file) as text:
      events = json.load(text)['traceEvents']
  named = {(each['pid'], each['tid']): each['args']['name'] for each in events if each.get('name') == 'thread_name'}
  total: Counter[str] = Counter()
  for each in events:
    on = named.get((each.get('pid'), each.get('tid')), '')
    if each.get('ph') == 'X' and ('Stream' in on or jax.default_backend() == 'cpu'):
      total[each['name'].rstrip('0123456789').rstrip('._')[:120]] += each['dur']
  top = {name: micros / 1e3 / steps for name, micros in total.most_common(KERNELS)}
  return {'all': sum(total.values()) / 1e3 / steps} | top, state
