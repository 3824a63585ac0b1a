import dataclasses
import json
from typing import Any

import jax
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks import __main__ as runner
from benchmarks import autoregressive, features, loader, published, sampling, training
from mt3_synth.config import ModelConfig, NetworkConfig, SamplerConfig
from mt3_synth.data.drawing import generator
from mt3_synth.data.examples import Crops
from mt3_synth.data.pieces import whole
from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import make_model
from mt3_synth.training.step import new_params
from tests.data.tiny import TINY, untrained


def test_the_report_says_where_when_and_what(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(features, 'run', lambda: {'hours': 1234.5, 'ratio': 0.123456})
  assert runner.main(['features', '--out', str(tmp_path / 'new' / 'report.json')]) == 0
  report = json.loads((tmp_path / 'new' / 'report.json').read_text())
  assert {'command', 'date', 'device', 'cpu', 'versions', 'results'} == set(report)
  assert report['results']['features']['ratio'] == 0.123456
  assert '0.1235' in capsys.readouterr().out


def test_one_that_fails_does_not_stop_the_others(monkeypatch, capsys):
  def fail():
    raise MemoryError('too large')

  from benchmarks import griffin_lim

  monkeypatch.setattr(features, 'run', fail)
  monkeypatch.setattr(griffin_lim, 'run', lambda: {'ratio': 2})
  assert runner.main(['features', 'griffin_lim']) == 1
  printed = capsys.readouterr()
  assert 'too large' in printed.err
  assert 'ratio' in printed.out


def test_an_unknown_name_is_refused(capsys):
  with pytest.raises(SystemExit):
    runner.main(['nothing'])
  assert 'features, griffin_lim' in capsys.readouterr().err


def test_the_baseline_of_sampling_draws_the_same():
  """Of the published procedure's 512 tokens and two passes, and ours of 256 and one."""
  sizes = NetworkConfig(emb_dim=32, num_heads=4, head_dim=8, encoder_layers=1, decoder_layers=2, mlp_dim=64, note_length=512)
  config = ModelConfig(network=sizes)
  model = make_model(config)
  params, key, how = new_params(jax.random.key(0), model=model), jax.random.key(1), SamplerConfig('ddim', 3, 2.0, spacing='logsnr')
  theirs = jax.jit(lambda params, told, key: published.draw(model.network.bind({'params': params}), config, told, key, how))
  ours = jax.jit(lambda params, told, key: model.predict(params, told, key, how))
  expected = theirs(params, sampling.segment(sizes, 512), key)
  assert (abs(expected) < 1).mean() > 0.1  # not clipped away
  assert_allclose(ours(params, sampling.segment(sizes, 256), key), expected, atol=1e-3)


def test_the_baseline_of_loading_makes_the_loaders_examples(tmp_path):
  config = ModelConfig()
  song = loader.long_song(3, seconds=30)
  assert len(song.audio) == 30 * 16000
  assert len(song.notes) > 300
  made = loader.from_flac([song], tmp_path, config)(7)
  rng = generator(0, 7)
  rng.integers(1)
  expected = Crops(whole(song), config).crop(int(rng.integers(256, 1500 - 256 - 1)))
  for name, array in made.items():
    assert_array_equal(array, expected[name])


def test_frames_are_decoded_and_held_against_the_memorys_speed():
  sizes = dataclasses.replace(autoregressive.SMALL, emb_dim=32, num_heads=2, head_dim=16, encoder_layers=1, decoder_layers=1, mlp_dim=64)
  figures = autoregressive.run(dataclasses.replace(sizes, note_length=16, target_frames=8), rounds=1, batches=(2,))
  assert figures['batch_2_frames_per_second'] > 0
  assert autoregressive.bytes_per_frame(sizes, 8) > autoregressive.bytes_per_frame(sizes, 1)


def test_the_baseline_of_training_has_the_same_gradient():
  """The published way, one-hot and padded, and ours of rows that are cut."""
  config = ModelConfig(network=TINY)
  fast: Any = {'xla_backend_optimization_level': 0}
  params = untrained(config)

  def gradient(model, length):
    rows = training.crops(TINY, 20, length)
    found = jax.jit(lambda params: jax.grad(lambda params: model.loss(params, to_model_batch(rows, model), jax.random.key(1))[0])(params))
    return found.lower(params).compile(fast)(params)

  ours, theirs = gradient(make_model(config), 32), gradient(published.PublishedModel(config), 64)
  jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-3, atol=1e-5), ours, theirs)


def test_the_parts_of_a_training_step_take_time():
  found = training.parts(TINY, 32)
  assert list(found) == ['attention', 'mlp', 'embedding', 'data']
  assert min(found.values()) > 0
