"""Meshes, rules, and runs that are the same on any of them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, PartitionSpec
from numpy.testing import assert_allclose

from mt3_synth.errors import InputError
from mt3_synth.training import distributed
from mt3_synth.training.config import MeshConfig, TrainConfig
from mt3_synth.training.partitioning import AXES, check_microbatches, make_mesh, rows_of_this_process, shardings, spec_of, to_mesh

ROOT = Path(__file__).parents[2]
MESH: Any = AbstractMesh((2, 2, 2), AXES)


@pytest.mark.parametrize(
  ('names', 'shape', 'spec'),
  [
    (('embed', 'mlp'), (4, 6), PartitionSpec('fsdp', 'model')),
    (('mlp', 'embed'), (4, 6), PartitionSpec('model', 'fsdp')),
    (('embed', 'joined_kv'), (4, 5), PartitionSpec('fsdp', None)),  # 5 is odd
    (('embed', 'embed'), (4, 4), PartitionSpec('fsdp', None)),  # a mesh axis splits one axis of an array
    (('batch', 'length', 'embed'), (8, 3, 4), PartitionSpec(('data', 'fsdp'), None, None)),
    ((None, 'mlp'), (3, 2), PartitionSpec(None, 'model')),
    (None, (3,), PartitionSpec(None)),
  ],
)
def test_names_say_where_an_array_lies(names, shape, spec):
  assert spec_of(names, shape, MESH) == spec


def test_what_is_in_no_box_is_on_all_devices():
  mesh = make_mesh(MeshConfig())
  placed = shardings({'a': nn.LogicallyPartitioned(jnp.ones((4, 6)), ('embed', 'mlp')), 'b': jnp.ones(3)}, mesh)
  assert [placed[name].spec for name in 'ab'] == [PartitionSpec('fsdp', 'model'), PartitionSpec(None)]


@pytest.mark.parametrize('config', [MeshConfig(2), MeshConfig(1, 2), MeshConfig(0, 0), MeshConfig(-1), MeshConfig(1, 1, 3)])
def test_a_mesh_of_other_devices_than_there_are_is_refused(config):
  with pytest.raises(InputError, match='which 1 devices do not make'):
    make_mesh(config)


def test_one_process_makes_the_whole_batch():
  mesh = make_mesh(MeshConfig())
  assert rows_of_this_process(mesh, 6) == (0, 1)
  assert to_mesh({'x': np.arange(6)}, mesh)['x'].tolist() == list(range(6))


def test_microbatches_that_do_not_divide_a_batch_are_refused():
  check_microbatches(TrainConfig('', (), batch_size=6, microbatches=3), 1)
  with pytest.raises(InputError, match='batch_size is 6, which 4 microbatches on 1 devices'):
    check_microbatches(TrainConfig('', (), batch_size=6, microbatches=4), 1)


@pytest.mark.parametrize(
  ('flags', 'says'),
  [
    (('host:1', 2, None), '--process_id is missing'),
    ((None, None, 0), '--coordinator is missing'),
    (('host:1', 2, 2), '--process_id is 2, expected 0 to 1'),
  ],
)
def test_flags_that_do_not_fit_are_told(flags, says):
  with pytest.raises(InputError, match=says):
    distributed.join(*flags)


@pytest.mark.parametrize(
  ('environment', 'meets'),
  [
    ({}, []),
    ({'SLURM_STEP_NUM_TASKS': '4'}, [None]),
    ({'SLURM_STEP_NUM_TASKS': '1'}, []),
    ({'SLURM_NTASKS': '4'}, []),  # a job that holds machines, of which this is no step
    ({'SLURM_STEP_NUM_TASKS': '2', 'SLURM_STEP_NUM_NODES': '2', 'SLURM_GPUS_ON_NODE': '3'}, [[0, 1, 2]]),  # all, and not one a task
    ({'SLURM_STEP_NUM_TASKS': '6', 'SLURM_STEP_NUM_NODES': '2', 'SLURM_GPUS_ON_NODE': '3'}, [None]),
    ({'SLURM_STEP_NUM_TASKS': '2', 'SLURM_STEP_NUM_NODES': '2'}, [None]),
    ({'TPU_WORKER_HOSTNAMES': 'a,b'}, [None]),
    ({'TPU_WORKER_HOSTNAMES': 'localhost'}, []),
    ({'TPU_ML_PLATFORM': 'JAX'}, [None]),  # a TPU virtual machine: JAX asks for the others
    ({'TPU_ML_PLATFORM': 'JAX', 'TPU_SKIP_MDS_QUERY': '1'}, []),
  ],
)
def test_schedulers_are_found(environment, meets, monkeypatch):
  """And a process that has a machine for itself takes its GPUs."""
  met = []
  monkeypatch.setattr(jax.distributed, 'initialize', lambda local_device_ids: met.append(local_device_ids))
  for name in (*distributed.SCHEDULERS, 'SLURM_STEP_NUM_NODES', 'SLURM_GPUS_ON_NODE', 'TPU_ML_PLATFORM', 'TPU_SKIP_MDS_QUERY'):
    monkeypatch.delenv(name, raising=False)
  for name, value in environment.items():
    monkeypatch.setenv(name, value)
  distributed.join()
  assert met == meets


def on_mesh(*asked: dict, devices: int = 1) -> list[dict]:
  """What processes that run at once print."""
  flags = f'--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0'
  environment = os.environ | {'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu', 'XLA_FLAGS': flags}
  command = [sys.executable, '-m', 'tests.training.on_mesh']
  running = [
    subprocess.Popen([*command, json.dumps(each)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for each in asked
  ]
  said = [process.communicate(timeout=600) for process in running]
  assert [process.returncode for process in running] == [0] * len(running), said[-1][1][-3000:]
  return [json.loads(out.splitlines()[-1]) for out, _ in said]


def on_two(asked: dict) -> list[dict]:
  """What two processes print that train as one."""
  with socket.socket() as free:
    free.bind(('localhost', 0))
    address = f'localhost:{free.getsockname()[1]}'
  return on_mesh(*[asked | {'who': [address, 2, number]} for number in range(2)])


@pytest.fixture(scope='module')
def alone():
  """20 steps of one process on one device."""
  return on_mesh({'mesh': [1, 1, 1], 'steps': 20})[0]


@pytest.mark.slow
def test_eight_devices_train_on_a_mesh_of_all_three_kinds(alone, tmp_path):
  """The same losses as one device, each array where its rule says, one program for all steps, and a checkpoint for any other mesh."""
  (shared,) = on_mesh({'mesh': [2, 2, 2], 'steps': 3, 'save': str(tmp_path)}, devices=8)
  assert_allclose(shared['losses'], alone['losses'][:3], rtol=1e-5)
  assert shared['as_the_rules_say']
  assert shared['programs'] == 1
  assert shared['share_of_the_state_a_device'] < 0.3  # a quarter, and vectors
  kernels = {name: spec for name, spec in shared['specs'].items() if 'wi_0' in name}
  assert len(kernels) == 4 * 2  # params, their average, two moments; encoder and decoder
  assert {spec for _, spec in kernels.values()} == {str(PartitionSpec('fsdp', 'model'))}
  again = {'steps': 0, 'restore': str(tmp_path)}
  for each in on_mesh(again | {'mesh': [1, 1, 1]}) + on_two(again | {'mesh': [1, 2, 1]}):
    assert each['as_the_rules_say']
    assert each['hashes'] == shared['hashes']


@pytest.mark.slow
def test_eight_devices_train_in_microbatches_with_adafactor():
  (parts,) = on_mesh({'mesh': [2, 2, 2], 'steps': 2, 'microbatches': 2, 'optimizer': 'adafactor'}, devices=8)
  assert parts['as_the_rules_say']
  assert np.isfinite(parts['losses']).all()


@pytest.mark.slow
@pytest.mark.parametrize('mesh', [[2, 1, 1], [1, 2, 1], [1, 1, 2]])
def test_two_processes_train_as_one(mesh, alone, tmp_path):
  """By data, by fsdp, and by each layer's features, when both processes make all rows; one process goes on with it."""
  both = on_two({'mesh': mesh, 'steps': 20, 'save': str(tmp_path)})
  assert both[0]['losses'] == both[1]['losses']
  assert_allclose(both[0]['losses'], alone['losses'], rtol=1e-5)
  assert [each['part'] for each in both] == ([0, 0] if mesh[2] == 2 else [0, 1])
  assert all(each['as_the_rules_say'] and each['programs'] == 1 for each in both)
  (restored,) = on_mesh({'mesh': [1, 1, 1], 'steps': 0, 'restore': str(tmp_path)})
  assert restored['hashes'] == both[0]['hashes'] == both[1]['hashes']
