"""The benchmark of accelerators, on a CPU with tiny sizes."""

import json

import jax
import pytest
from numpy.testing import assert_allclose

from benchmarks.gpu import jobs, material, synthesis
from benchmarks.gpu.__main__ import by_importance, main
from mt3_synth.config import ModelConfig, NetworkConfig
from mt3_synth.models import operations
from mt3_synth.models.conditions import no_conditions
from mt3_synth.models.model import make_model

SIZES = NetworkConfig(
  emb_dim=64, num_heads=2, head_dim=32, encoder_layers=1, decoder_layers=2, mlp_dim=128, dropout=0.0, note_length=128,
  target_frames=64, context_frames=64,
)  # fmt: skip


def counted(function, *arguments) -> float:
  """Multiplications and additions of the products in a program, as its text has them."""
  total = 0.0

  def walk(jaxpr):
    nonlocal total
    for eqn in jaxpr.eqns:
      if eqn.primitive.name == 'dot_general':
        (contracted, _), _ = eqn.params['dimension_numbers']
        left = eqn.invars[0].aval.shape
        depth = 1
        for axis in contracted:
          depth *= left[axis]
        total += 2 * depth * eqn.outvars[0].aval.size
      for value in eqn.params.values():
        for each in value if isinstance(value, (list, tuple)) else [value]:
          inner = getattr(each, 'jaxpr', each)
          if hasattr(inner, 'eqns'):
            walk(inner)

  walk(jax.make_jaxpr(function)(*arguments).jaxpr)
  return total


def test_operations_are_those_of_the_networks_products():
  model = make_model(ModelConfig(network=SIZES))
  params, c = material.shapes_of(model.config), SIZES
  told, z, time = no_conditions(c), jax.numpy.zeros((1, c.target_frames, c.mel_bands)), jax.numpy.zeros(1)
  bound = lambda p: model.network.bind({'params': p})
  keys = c.note_length + c.context_frames
  memory = jax.eval_shape(lambda p: bound(p).encode(told), params)
  film = jax.eval_shape(lambda p: bound(p).film(time), params)
  assert counted(lambda p: bound(p).encode(told), params) == operations.encoders(c, c.note_length) + operations.keys_values(c, keys)
  assert counted(lambda p: bound(p).film(time), params) == operations.film(c)
  assert counted(lambda p, film, memory: bound(p).decode(z, film, memory), params, film, memory) == operations.decoder_pass(c, keys)
  one = jax.eval_shape(lambda film: film[:1], film)
  guided = counted(lambda p, film, memory: bound(p).decode(z, film, memory, twice=True), params, one, memory)
  assert guided == operations.guided_step(c, keys)
  batch = {'conditions': told, 'targets': z, 'targets_mask': jax.numpy.ones((1, c.target_frames))}
  backwards = counted(jax.grad(lambda p: model.loss(p, batch, jax.random.key(0))[0]), params)
  assert_allclose(backwards, operations.training_step(c, c.note_length), rtol=0.02)  # nothing flows back to what is given


def test_what_fails_or_has_no_time_left_is_told(tmp_path, capsys):
  def fail():
    raise MemoryError('too large')

  report = jobs.Report(tmp_path / 'a.json', {}, 30)
  all_jobs = [jobs.Job('a/fails', fail, dict), jobs.Job('a/works', lambda: 2, lambda ready: {'ready': ready})]
  jobs.run(all_jobs, report, threads=1)
  late = jobs.Report(tmp_path / 'b.json', {}, 0.0)
  jobs.run(all_jobs[1:], late, threads=1)
  results = json.loads((tmp_path / 'a.json').read_text())['results']
  assert 'too large' in results['a/fails']['error']
  assert results['a/works']['ready'] == 2
  assert 'skipped' in json.loads((tmp_path / 'b.json').read_text())['results']['a/works']
  assert 'too large' in capsys.readouterr().err


def test_the_important_come_first():
  assert by_importance({'training': [1, 2, 3], 'synthesis': [4], 'feeding': [5]}, ('training', 'synthesis', 'feeding')) == [1, 4, 2, 3, 5]


def test_the_decoder_and_the_device_are_measured(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(synthesis, 'DECODED', [('small', 1)])
  arguments = ['--tiny', '--only', 'autoregressive', 'device', '--seconds', '300']
  assert main(['--out', str(tmp_path / 'out.json'), *arguments]) == 0
  results = json.loads((tmp_path / 'out.json').read_text())['results']
  assert results['autoregressive/small bfloat16 1']['frames_per_second'] > 0
  assert results['device/products and memory']['copy_gigabytes_per_second'] > 0
  assert 'frames_per_second' in capsys.readouterr().out


@pytest.mark.slow
def test_all_of_it_runs(tmp_path):
  assert main(['--out', str(tmp_path / 'out.json'), '--tiny', '--seconds', '1500']) == 0
  results = json.loads((tmp_path / 'out.json').read_text())['results']
  failed = {name: figures for name, figures in results.items() if 'error' in figures or 'skipped' in figures}
  assert not failed
  (kernels,) = [each['kernels'] for each in results.values() if 'kernels' in each]
  assert kernels['all'] > 0
