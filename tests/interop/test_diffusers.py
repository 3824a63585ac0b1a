"""Folders of diffusers become models and back: names and shapes checked both ways, pickles never run."""

import dataclasses
import json
import pickle
import shutil
import sys
import types

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mt3_synth import cli
from mt3_synth.config import DiffusionConfig, NotesConfig, SamplerConfig
from mt3_synth.errors import InputError
from mt3_synth.interop.diffusers_folder import write_diffusers
from mt3_synth.interop.loading import load_model
from mt3_synth.inverter.griffin_lim import GriffinLim
from mt3_synth.inverter.onnx import OnnxInverter
from mt3_synth.models.pretrained import save_pretrained
from mt3_synth.pipeline import SpectrogramDiffusionPipeline
from tests.interop.conftest import CONFIGS, NETWORK, assert_same
from tests.interop.folders import write_diffusers_folder
from tests.inverter.graphs import write_onnx

CONFIG = CONFIGS['context']
WEIGHTS = 'diffusion_pytorch_model.safetensors'


@pytest.fixture
def folder(params, tmp_path):
  return write_diffusers_folder(tmp_path / 'diffusers', CONFIG, params['context'])


def refused(source, says):
  with pytest.raises(InputError, match=says) as error:
    load_model(source)
  assert '\n' not in str(error.value)


def edit(file, **values):
  file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_configuration_and_parameters_are_those_written(folder, params):
  config, found, inverter = load_model(folder)
  assert config == CONFIG
  assert_same(found, params['context'])
  assert inverter is None


def test_settings_of_decoder_and_scheduler_are_kept(folder):
  edit(folder / 'decoder' / 'config.json', max_decoder_noise_time=2000)
  edit(folder / 'scheduler' / 'scheduler_config.json', prediction_type='v_prediction', variance_type='fixed_small')
  config = load_model(folder, 'full').config
  assert config.network.max_noise_time == 2000.0
  assert (config.diffusion.output, config.sampler.variance, config.notes.programs) == ('v', 'small', 'full')


def test_a_model_goes_there_and_back(params, tmp_path):
  """All of the configuration does, what diffusers has no place for too."""
  config = dataclasses.replace(
    CONFIG,
    notes=NotesConfig(programs='midi_class', ties=False),
    diffusion=DiffusionConfig(output='x0', loss_on='x0', context_noise=0.1),
    sampler=SamplerConfig('ddim', steps=20, guidance=1.5, variance='small'),
    network=dataclasses.replace(NETWORK, max_noise_time=2000.0),
  )
  write_diffusers(tmp_path / 'out', config, params['context'])
  loaded = load_model(tmp_path / 'out')
  assert loaded.config == config
  assert_same(loaded.params, params['context'])
  (tmp_path / 'out' / 'mt3_synth.json').unlink()
  plain = load_model(tmp_path / 'out').config
  assert plain.network == config.network
  assert (plain.diffusion.output, plain.sampler.variance) == ('x0', 'small')


def test_what_is_exported_has_the_layout_of_diffusers(params, tmp_path, folder):
  write_diffusers(tmp_path / 'out', CONFIG, params['context'])
  for part in ('notes_encoder', 'continuous_encoder', 'decoder'):
    ours, theirs = (json.loads((root / part / 'config.json').read_text()) for root in (tmp_path / 'out', folder))
    theirs.pop('_diffusers_version')
    assert ours == theirs
    ours, theirs = (load_file(root / part / WEIGHTS) for root in (tmp_path / 'out', folder))
    assert_same(ours, theirs)
  index = json.loads((tmp_path / 'out' / 'model_index.json').read_text())
  assert index['_class_name'] == 'SpectrogramDiffusionPipeline'
  assert index['notes_encoder'] == ['spectrogram_diffusion', 'SpectrogramNotesEncoder']


def test_the_verbs_export_and_import(params, tmp_path, capsys):
  save_pretrained(tmp_path / 'model', CONFIG, params['context'], 'float32')
  there, back = tmp_path / 'there', tmp_path / 'back'
  assert cli.main(['export', str(tmp_path / 'model'), '--out', str(there), '--format', 'diffusers']) == 0
  (there / 'melgan').mkdir()
  (there / 'melgan' / 'model.onnx').write_bytes(b'a graph')
  capsys.readouterr()
  assert cli.main(['import', str(there), '--out', str(back)]) == 0
  assert 'diffusion with context, 2 + 2 layers of 16, programs slakh_classes' in capsys.readouterr().out
  loaded = load_model(back)
  assert loaded.config == CONFIG
  assert_same(loaded.params, params['context'])
  assert loaded.inverter is not None
  assert loaded.inverter.read_bytes() == b'a graph'


def test_a_failed_import_or_export_writes_nothing(params, folder, tmp_path, capsys):
  (folder / 'decoder' / WEIGHTS).write_bytes(b'')
  before = sorted(tmp_path.iterdir())
  assert cli.main(['import', str(folder), '--out', str(tmp_path / 'out')]) == 2
  assert 'mt3-synth import: error: ' in capsys.readouterr().err
  with pytest.raises(InputError, match='diffusers has no model without context'):
    write_diffusers(tmp_path / 'out', CONFIGS['basic'], params['basic'])
  with pytest.raises(InputError, match="diffusers has no model with decoder 'autoregressive'"):
    write_diffusers(tmp_path / 'out', CONFIGS['autoregressive'], params['autoregressive'])
  with pytest.raises(InputError, match='diffusers: is there already; give a new folder'):
    write_diffusers(folder, CONFIG, params['context'])
  assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
  ('file', 'values', 'says'),
  [
    ('model_index.json', {'_class_name': 'StableDiffusionPipeline'}, "_class_name is 'StableDiffusionPipeline', expected 'Spectro"),
    ('decoder/config.json', {'_class_name': 'UNet2DModel'}, "decoder/config.json: _class_name is 'UNet2DModel', expected 'T5FilmDecoder'"),
    ('decoder/config.json', {'d_model': 24}, r'decoder/config\.json: d_model is 24, but 16 in .*notes_encoder/config\.json'),
    ('notes_encoder/config.json', {'feed_forward_proj': 'relu'}, "feed_forward_proj is 'relu'; only 'gated-gelu' can be run here"),
    ('notes_encoder/config.json', {'vocab_size': 1664}, r'parameter notes_encoder/token_embedder.weight has shape \(1536, 16\), .* \(1664'),
    ('notes_encoder/config.json', {'vocab_size': 'x'}, "field network.vocab_size is 'x', expected int"),
    ('scheduler/scheduler_config.json', {'beta_schedule': 'sigmoid'}, "beta_schedule is 'sigmoid', expected squaredcos_cap_v2 or linear"),
    ('scheduler/scheduler_config.json', {'prediction_type': 'flow'}, "prediction_type is 'flow'"),
  ],
)  # fmt: skip
def test_another_model_is_refused(folder, file, values, says):
  edit(folder / file, **values)
  refused(folder, says)


def test_what_is_missing_or_cut_short_is_named(folder):
  weights = folder / 'decoder' / WEIGHTS
  held = load_file(weights)
  save_file({name: x for name, x in held.items() if name != 'spec_out.weight'} | {'bias': np.zeros(3)}, weights)
  refused(folder, r'decoder/bias has shape \(3,\), .* none of that name; parameter decoder/spec_out\.weight has shape \(missing\)')
  weights.write_bytes(weights.read_bytes()[:-10])
  refused(folder, rf'decoder/{WEIGHTS}: unreadable or cut short')
  weights.unlink()
  refused(folder, 'decoder: has neither diffusion_pytorch_model.safetensors nor diffusion_pytorch_model.bin')
  config = folder / 'notes_encoder' / 'config.json'
  config.write_text(config.read_text()[:20])
  refused(folder, r'notes_encoder/config\.json: unreadable or cut short')
  shutil.rmtree(folder / 'notes_encoder')
  refused(folder, r'notes_encoder/config\.json: missing')


class Harmful:
  """Writes a file when it is unpickled."""

  def __init__(self, mark):
    self.mark = mark

  def __reduce__(self):
    return (open, (str(self.mark), 'w'))


def pickled(folder, mark):
  for part in ('notes_encoder', 'continuous_encoder', 'decoder'):
    (folder / part / WEIGHTS).unlink()
    (folder / part / 'diffusion_pytorch_model.bin').write_bytes(pickle.dumps({'weight': Harmful(mark)}))


def test_a_pickle_is_not_opened_without_pytorch(folder, tmp_path, monkeypatch):
  pickled(folder, tmp_path / 'harmed')
  monkeypatch.setitem(sys.modules, 'torch', None)
  refused(folder, r'model\.bin: is a pickle of PyTorch, which only PyTorch opens safely; pip install torch')
  assert not (tmp_path / 'harmed').exists()


def test_a_pickle_is_opened_for_its_weights_only(folder, tmp_path, monkeypatch):
  """With PyTorch itself where it is installed, else with one that refuses as it does."""
  pickled(folder, tmp_path / 'harmed')
  try:
    import torch  # noqa: F401  # pyright: ignore[reportMissingImports]
  except ImportError:
    stand_in = types.ModuleType('torch')

    def load(file, map_location, *, weights_only=False):
      if not weights_only:
        return pickle.loads(file.read_bytes())
      raise pickle.UnpicklingError('Weights only load failed')

    stand_in.load = load  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, 'torch', stand_in)
  refused(folder, r'model\.bin: cut short, or holds more than tensors and is not opened')
  assert not (tmp_path / 'harmed').exists()


def test_the_pipeline_takes_a_folder_and_plays_it_with_what_came_with_it(folder):
  pytest.importorskip('onnxruntime')
  write_onnx(folder / 'melgan' / 'model.onnx')
  assert isinstance(SpectrogramDiffusionPipeline.from_pretrained(folder).inverter, OnnxInverter)
  pipeline = SpectrogramDiffusionPipeline.from_pretrained(folder, inverter='griffin_lim')
  assert isinstance(pipeline.inverter, GriffinLim)
  assert pipeline.config == CONFIG
  with pytest.raises(InputError, match='nothing: no inverter'):
    SpectrogramDiffusionPipeline.from_pretrained(folder, inverter='nothing')
