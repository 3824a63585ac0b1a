"""What a run is said to take."""

import dataclasses

import jax
import pytest

from mt3_synth import cli
from mt3_synth.errors import InputError
from mt3_synth.training.config import MeshConfig, TrainConfig
from mt3_synth.training.planning import activation_bytes, plan
from tests.data.tiny import TINY, tiny_model, untrained
from tests.inverter.tiny import TINY as INVERTER
from tests.inverter.tiny import drawn

CONFIG = TrainConfig('', (), model=tiny_model(), batch_size=8)


def test_parameters_and_their_memory_are_those_of_the_model():
  found, size = plan(CONFIG, 1), sum(x.size for x in jax.tree.leaves(untrained(tiny_model())))
  assert found.parameters == size
  assert found.memory['parameters'] == found.memory['their average'] == 4 * size


def test_devices_share_the_state_and_the_rows():
  alone, shared = plan(CONFIG, 1), plan(dataclasses.replace(CONFIG, mesh=MeshConfig(fsdp=2, model=2)), 8)
  assert shared.mesh == (2, 2, 2)
  assert alone.memory['parameters'] / 4 <= shared.memory['parameters'] < alone.memory['parameters'] / 3
  assert shared.memory['activations'] < alone.memory['activations'] / 4
  assert shared.operations == alone.operations
  assert dict((name, spec) for name, _, spec in shared.parameter_places)['decoder/spec_out_dense/kernel'] == "P('fsdp', 'model')"
  with pytest.raises(InputError, match='which 9 devices do not make'):
    plan(dataclasses.replace(CONFIG, mesh=MeshConfig(fsdp=2)), 9)
  with pytest.raises(InputError, match='batch_size is 8, which 1 microbatches on 3 devices'):  # as training does
    plan(CONFIG, 3)


def test_an_inverter_is_whole_on_each_device():
  found, generator = plan(TrainConfig('', (), model=INVERTER, batch_size=4), 2), sum(x.size for x in jax.tree.leaves(drawn()))
  assert found.memory['parameters'] == 4 * found.parameters
  assert found.memory['their average'] == 4 * generator < 4 * found.parameters  # its discriminators have none
  assert found.operations > 0
  assert {spec for _, _, spec in found.parameter_places} == {'P()'}


def test_what_is_computed_again_is_not_kept():
  deep = dataclasses.replace(TINY, encoder_layers=8, decoder_layers=8)
  plain, minimal, full = (activation_bytes(dataclasses.replace(deep, remat=remat)) for remat in ('none', 'minimal', 'full'))
  assert full < minimal < plain


def test_a_dry_run_touches_no_disk(tmp_path, capsys):
  where = tmp_path / 'run'
  argv = ['train', '--gin_file', 'gin_configs/models/diffusion/context/tiny.gin', f"--gin.MODEL_DIR='{where}'", "--gin.CORPORA=('none',)"]
  assert cli.main([*argv, '--gin.MeshConfig.fsdp=4', '--dry_run', '8']) == 0
  said = capsys.readouterr().out
  for expected in ('"emb_dim": 192', 'data 2 x fsdp 4 x model 1', 'parameters: 7,', 'operations: ', 'memory of a device: about'):
    assert expected in said
  assert not where.exists()


@pytest.mark.parametrize(
  ('asked', 'says'),
  [(['--dry_run', '-1'], '--dry_run is -1, expected a number'), (['--gin.TRAIN_STEPS=0', '--dry_run'], 'total_steps is 0')],
)
def test_a_dry_run_refuses_what_a_run_does(asked, says, capsys):
  assert cli.main(['train', '--gin_file', 'gin_configs/demo.gin', "--gin.MODEL_DIR='runs/a'", *asked]) == 2
  assert says in capsys.readouterr().err
