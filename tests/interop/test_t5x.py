"""Checkpoints of T5X become models: what is in them is loaded, what is wrong with them is named."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import serialization
from numpy.testing import assert_allclose

from mt3_synth.config import to_json
from mt3_synth.errors import InputError
from mt3_synth.interop.loading import load_model
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import make_model
from tests.interop.conftest import CONFIGS, assert_same
from tests.interop.folders import write_t5x

FORMS = ['legacy', 'orbax']


@pytest.fixture
def checkpoint(params, tmp_path):
  return write_t5x(tmp_path / 'base_with_context', CONFIGS['context'], params['context'])


def refused(source, says):
  with pytest.raises(InputError, match=says) as error:
    load_model(source)
  assert '\n' not in str(error.value)
  return str(error.value)


def test_checkpoints_of_t5x_itself_give_the_published_outputs(golden):
  g = np.load(golden / 'net_context_main.npz')
  config, params, inverter = load_model(golden / 't5x_checkpoint')
  also = load_model(golden / 't5x_checkpoint_orbax')
  assert also.config == config
  assert_same(also.params, params)
  assert inverter is None
  assert config.notes.programs == 'slakh_classes'
  network = make_model(config).network
  conditions = Conditions(jnp.asarray(g['tokens']), jnp.asarray(g['context_scaled']), jnp.asarray(g['context_mask']))
  run = jax.jit(lambda c: network.apply({'params': params}, g['z_t'], g['time'], c))
  with jax.default_matmul_precision('highest'):
    assert_allclose(run(conditions), g['out'], atol=2e-5)
    assert_allclose(run(conditions.where(jnp.zeros(4, bool))), g['out_uncond'], atol=2e-5)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('kind', CONFIGS)
def test_configuration_and_parameters_are_those_written(params, tmp_path, kind, form):
  checkpoint = write_t5x(tmp_path / 'model', CONFIGS[kind], params[kind], form)
  config, found, _ = load_model(checkpoint)
  assert config == CONFIGS[kind]
  assert_same(found, params[kind])
  assert {x.dtype for x in jax.tree.leaves(found)} == {np.dtype(np.float32)}


def test_the_newest_checkpoint_of_a_folder_is_taken(params, tmp_path):
  folder = tmp_path / 'model'
  doubled = jax.tree.map(lambda x: 2 * x, params['basic'])
  write_t5x(folder, CONFIGS['basic'], params['basic'], step=900)
  write_t5x(folder, CONFIGS['basic'], doubled, step=1000)
  (folder / 'checkpoint_2000.tmp').mkdir()
  assert_same(load_model(folder).params, doubled)
  assert_same(load_model(folder / 'checkpoint_900').params, params['basic'])


def test_the_configuration_may_lie_in_the_checkpoint(checkpoint):
  shutil.move(checkpoint.parent / 'config.gin', checkpoint / 'config.gin')
  assert load_model(checkpoint).config == CONFIGS['context']


def test_the_mapping_of_programs_can_be_told(checkpoint):
  assert load_model(checkpoint, 'full').config.notes == dataclasses.replace(CONFIGS['context'].notes, programs='full')


def test_a_configuration_of_ours_beside_it_says_what_a_checkpoint_is(params, tmp_path):
  config = dataclasses.replace(CONFIGS['context'], mel=dataclasses.replace(CONFIGS['context'].mel, low_hz=20.0))
  checkpoint = write_t5x(tmp_path / 'model', config, params['context'], 'orbax')
  (tmp_path / 'model' / 'config.json').write_text(to_json(config))
  assert load_model(tmp_path / 'model').config == config
  (tmp_path / 'model' / 'config.gin').unlink()
  found = load_model(checkpoint, 'flat')
  assert found.config == dataclasses.replace(config, notes=dataclasses.replace(config.notes, programs='flat'))
  assert_same(found.params, params['context'])
  wide = dataclasses.replace(config, network=dataclasses.replace(config.network, mlp_dim=64))
  (tmp_path / 'model' / 'config.json').write_text(to_json(wide))
  refused(checkpoint, r'mlp\.wi_0\.kernel has shape \(16, 32\), config\.json expects \(16, 64\)')


def set_gin(checkpoint, old, new):
  file = checkpoint.parent / 'config.gin'
  assert old in file.read_text()
  file.write_text(file.read_text().replace(old, new))


@pytest.mark.parametrize(
  ('line', 'field', 'value'),
  [
    ('diffusion_utils.ClassifierFreeGuidanceConfig.eval_condition_weight = 5.0', 'sampler.guidance', 5.0),
    ('diffusion_utils.SamplerConfig.name = "ddim"', 'sampler.name', 'ddim'),
    ('sampler/diffusion_utils.DiffusionSchedule.num_steps = 250', 'sampler.steps', 250),
    ('diffusion_utils.DiffusionConfig.model_output = "v"', 'diffusion.output', 'v'),
    ('network.T5Config.max_decoder_noise_time = 2000', 'network.max_noise_time', 2000.0),
    ('vocabularies.VocabularyConfig.max_shift_seconds = 9', 'notes.max_shift_steps', 900),
    ('tasks.NoteRepresentationConfig.include_ties = False', 'notes.ties', False),
    ('network.T5Config.context_positions = "regular"', 'network.context_positions', 'regular'),
  ],
)
def test_what_the_gin_file_sets_is_kept(params, checkpoint, line, field, value):
  set_gin(checkpoint, "network.T5Config.context_positions = 'terminal_relative'", '' if 'context_positions' in line else '#')
  set_gin(checkpoint, '# Macros:', line)
  set_gin(checkpoint, 'vocab_size = @vocabularies.num_embeddings()', 'vocab_size = 1536')
  section, name = field.split('.')
  assert getattr(getattr(load_model(checkpoint).config, section), name) == value


@pytest.mark.parametrize(
  ('old', 'new', 'says'),
  [
    ("('gelu', 'linear')", "('relu',)", r"config\.gin: T5Config\.mlp_activations is \('relu',\); only \('gelu', 'linear'\) can be run"),
    ('@audio_codecs.MelGAN()', '@audio_codecs.Other()', "AUDIO_CODEC is 'Other'"),
    ('models.ContextDiffusionModel', 'models.EncoderDecoderModel', "MODEL is 'EncoderDecoderModel', expected one of ContextDiffusionModel"),
    ('# Macros:', 'vocabularies.VocabularyConfig.steps_per_second = None', 'holds a value of another kind'),
    ('emb_dim = 16', 'emb_dim = @f', "field network.emb_dim is 'f', expected int"),
    ('MODEL = @models.ContextDiffusionModel()', '', 'does not set MODEL'),
    ('%NUM_VELOCITY_BINS', '%BINS', r'num_velocity_bins is set to %BINS, which has no value'),
    ("'concat_encodings'", "'other'", "field network.cross_attend_style is 'other'"),
    ('emb_dim = 16', "emb_dim = 'wide'", "field network.emb_dim is 'wide', expected int"),
    ("'targets_context': 8", "'other': 8", 'TASK_FEATURE_LENGTHS is .* expected lengths of inputs, targets, targets_context'),
    ("DiffusionSchedule.name = 'cosine'", "DiffusionSchedule.name = 'linear'", 'sampled with a cosine schedule and trained with linear'),
    ('num_heads = 2', 'num_heads = (2', r'config\.gin: no gin file'),
    ('# Macros:', "include 'base.gin'", r'config\.gin: includes base\.gin'),
    ('emb_dim = 16', 'emb_dim = 32', r'continuous_encoder\.Embed_0\.embedding has shape \(8, 16\), config\.gin expects \(8, 32\)'),
    ('num_decoder_layers = 2', 'num_decoder_layers = 1', r'decoder\.layers_1\..* config\.gin expects none .*more differ'),
    ('num_decoder_layers = 2', 'num_decoder_layers = 3', r'parameter decoder\.layers_2\..* has shape \(missing\)'),
  ],
)  # fmt: skip
def test_a_checkpoint_that_can_not_be_run_is_refused(checkpoint, old, new, says):
  set_gin(checkpoint, old, new)
  refused(checkpoint, says)


def test_without_its_gin_file_a_checkpoint_is_refused(checkpoint):
  (checkpoint.parent / 'config.gin').unlink()
  refused(checkpoint, r'checkpoint_10: no config\.gin in it or beside it')
  (checkpoint.parent / 'config.gin').write_bytes(b'\xff\xfe\x00')
  refused(checkpoint, r'config\.gin: unreadable')


def test_nothing_that_the_gin_file_names_is_imported_or_run(checkpoint, tmp_path, monkeypatch):
  (tmp_path / 'harm.py').write_text(f'open({str(tmp_path / "harmed")!r}, "w")\n')
  monkeypatch.syspath_prepend(tmp_path)
  set_gin(checkpoint, '# Macros:', f"import harm\nFILE = @open('{tmp_path}/harmed')")
  refused(checkpoint, 'no gin file')
  set_gin(checkpoint, f"FILE = @open('{tmp_path}/harmed')", 'FILE = @harm.run()')
  assert load_model(checkpoint).config == CONFIGS['context']
  assert not (tmp_path / 'harmed').exists()


@pytest.mark.parametrize('kept', [0, 10, -20])
def test_a_truncated_file_is_named(checkpoint, kept):
  file = checkpoint / 'checkpoint'
  file.write_bytes(file.read_bytes()[:kept])
  refused(checkpoint, r'checkpoint_10/checkpoint: no checkpoint of T5X, or cut short')


def test_a_lost_array_and_a_lost_piece_of_one_are_named(checkpoint):
  array = checkpoint / 'target.decoder.spec_out_dense.kernel'
  (array / '0.0').unlink()
  refused(checkpoint, r'checkpoint_10: damaged .*spec_out_dense')
  shutil.rmtree(array)
  refused(checkpoint, r'checkpoint_10: damaged .*spec_out_dense')


def test_damage_to_orbaxs_form_is_named(params, tmp_path):
  checkpoint = write_t5x(tmp_path / 'model', CONFIGS['basic'], params['basic'], 'orbax')
  for file in (checkpoint / 'state').rglob('d/*'):
    file.unlink()
  refused(checkpoint, r'checkpoint_10/state: damaged')
  shutil.rmtree(checkpoint / 'state')
  (checkpoint / 'state').mkdir()
  refused(checkpoint, r'checkpoint_10/state: no checkpoint of T5X')


@pytest.mark.parametrize(
  ('content', 'says'),
  [
    ({'version': 1, 'optimizer': {'target': {}}}, 'of version 1'),
    ({'version': 'x', 'optimizer': {'target': {}}}, 'of version x'),
    ({'version': 3}, 'no checkpoint of T5X'),
    ({'version': 3, 'optimizer': {'target': {'../../etc': {'a': 1}}}}, r'optimizer/target holds \.\./\.\./etc, which is no name'),
  ],
)
def test_a_file_of_another_kind_is_named(checkpoint, content, says):
  (checkpoint / 'checkpoint').write_bytes(serialization.msgpack_serialize(content))
  refused(checkpoint, says)
