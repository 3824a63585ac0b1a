"""Published inverters: ONNX graphs and SavedModels by their path, in chunks that equal the whole."""

import importlib.util

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.config import MelConfig
from mt3_synth.errors import InputError
from mt3_synth.inverter import choosing, onnx
from mt3_synth.inverter.choosing import choose_inverter
from mt3_synth.inverter.chunks import in_chunks
from mt3_synth.inverter.griffin_lim import GriffinLim
from tests.inverter.graphs import BANDS, HOP, TAPS, expected, write_onnx

needs_onnxruntime = pytest.mark.skipif(not importlib.util.find_spec('onnxruntime'), reason='ONNX Runtime is not installed')


def mel(frames, rows=1):
  return np.random.default_rng(frames).uniform(-11, 4, (rows, frames, BANDS)).astype(np.float32)


def convolved(row):
  return expected(row[None])[0]


@pytest.mark.parametrize('sizes', [[1], [10], [11], [13], [14], [100], [3, 50, 1, 1, 30], [1] * 40])
def test_chunks_that_see_as_far_as_the_inverter_are_the_whole(sizes):
  whole = mel(sum(sizes), rows=2)
  parts = np.split(whole, np.cumsum(sizes)[:-1], axis=1)
  sounds = list(in_chunks(parts, convolved, frames=10, reach=TAPS // 2, hop=HOP, bands=BANDS))
  assert all(sound.shape[1] for sound in sounds)
  assert_allclose(np.concatenate(sounds, axis=1), expected(whole), atol=1e-4)


def test_chunks_that_see_less_differ_at_the_seams_only():
  whole = mel(40)
  found = np.concatenate(list(in_chunks([whole], convolved, frames=10, reach=TAPS // 2 - 1, hop=HOP, bands=BANDS)), axis=1)
  wrong = np.abs(found - expected(whole)).reshape(40, HOP).max(1) > 1e-3
  assert wrong.any()
  assert set(np.flatnonzero(wrong)) <= {9, 10, 19, 20, 29, 30}


def test_an_inverter_is_given_no_more_than_a_chunk_and_its_sides():
  lengths = []

  def invert(row):
    lengths.append(len(row))
    return np.zeros(len(row) * HOP)

  assert sum(sound.shape[1] for sound in in_chunks((mel(7) for _ in range(30)), invert, 10, 3, HOP, BANDS)) == 210 * HOP
  assert max(lengths) <= 16


def test_an_inverter_of_another_hop_is_refused():
  with pytest.raises(InputError, match='made 1280 samples of 4 frames, expected 160 each'):
    list(in_chunks([mel(4)], convolved, 10, 3, 160, BANDS))


@needs_onnxruntime
def test_an_onnx_graph_plays(tmp_path, monkeypatch):
  monkeypatch.setattr(onnx, 'CHUNK', 32)
  monkeypatch.setattr(onnx, 'REACH', 4)
  invert = choose_inverter(write_onnx(tmp_path / 'melgan' / 'model.onnx'), MelConfig())
  whole = mel(100, rows=2)
  assert invert(whole).dtype == np.float32
  assert_allclose(invert(whole), expected(whole), atol=1e-4)
  streamed = np.concatenate(list(invert.stream(np.split(whole, [20, 90], axis=1))), axis=1)
  assert_allclose(streamed, expected(whole), atol=1e-4)
  assert_allclose(choose_inverter(tmp_path / 'melgan', MelConfig())(whole), invert(whole))
  with pytest.raises(InputError, match='80 bands; this inverter expects 128'):
    invert(np.zeros((1, 5, 80)))


@needs_onnxruntime
@pytest.mark.parametrize(
  ('graph', 'says'),
  [
    ({'bands': 64}, r'takes 64 bands; this model has 128'),
    ({'frames': 256}, r'takes 256 frames and no other number; export it with a dynamic axis'),
    ({'inputs': 2}, r'takes input_features .*, other .*; expected one input of log-mel'),
  ],
)
def test_an_onnx_graph_of_another_shape_is_refused(tmp_path, graph, says):
  with pytest.raises(InputError, match=says):
    choose_inverter(write_onnx(tmp_path / 'model.onnx', **graph), MelConfig())


@needs_onnxruntime
def test_a_truncated_onnx_graph_is_named(tmp_path):
  file = write_onnx(tmp_path / 'model.onnx')
  for data in (b'', b'junk', file.read_bytes()[:5000]):
    file.write_bytes(data)
    with pytest.raises(InputError, match=r'model\.onnx: no ONNX graph, or cut short'):
      choose_inverter(file, MelConfig())


def test_what_came_with_a_model_plays_it_where_it_can(tmp_path, monkeypatch):
  file = write_onnx(tmp_path / 'model.onnx')
  find = importlib.util.find_spec
  monkeypatch.setattr(choosing.importlib.util, 'find_spec', lambda name: None if name == 'onnxruntime' else find(name))
  assert isinstance(choose_inverter(None, MelConfig(), beside=file), GriffinLim)
  monkeypatch.setattr(choosing.importlib.util, 'find_spec', find)
  if find('onnxruntime'):
    assert isinstance(choose_inverter(None, MelConfig(), beside=file), onnx.OnnxInverter)
  assert isinstance(choose_inverter('griffin_lim', MelConfig(), beside=file), GriffinLim)
  assert isinstance(choose_inverter(None, MelConfig()), GriffinLim)


def test_what_is_no_inverter_is_refused(tmp_path):
  for name in ('nothing', str(tmp_path), str(tmp_path / 'model.onnx')):
    with pytest.raises(InputError, match='no inverter; give griffin_lim, a folder with config.json, an .onnx file, or'):
      choose_inverter(name, MelConfig())


@pytest.fixture(scope='module')
def saved_models(tmp_path_factory):
  """The same inverter as a SavedModel that can be called, one with a signature alone, and one with neither."""
  tf = pytest.importorskip('tensorflow')
  from tests.inverter.graphs import KERNEL

  class Decoder(tf.Module):
    def __init__(self):
      self.kernel = tf.Variable(KERNEL.transpose(2, 1, 0))

    def decode(self, mel):
      return tf.reshape(tf.nn.conv1d(mel, self.kernel, 1, 'SAME'), [tf.shape(mel)[0], -1])

  spec = tf.TensorSpec([None, None, BANDS], tf.float32)
  root = tmp_path_factory.mktemp('saved')
  callable_one, signed, neither = Decoder(), Decoder(), Decoder()
  callable_one.__call__ = tf.function(callable_one.decode, input_signature=[spec])
  tf.saved_model.save(callable_one, str(root / 'callable'))
  tf.saved_model.save(
    signed, str(root / 'signed'), signatures=tf.function(lambda mel: {'audio': signed.decode(mel)}, input_signature=[spec])
  )
  tf.saved_model.save(neither, str(root / 'neither'))
  return root


@pytest.mark.parametrize('kind', ['callable', 'signed'])
def test_a_saved_model_plays(saved_models, kind):
  invert = choose_inverter(saved_models / kind, MelConfig())
  whole = mel(700, rows=2)
  assert_allclose(invert(whole), expected(whole), atol=1e-4)
  with pytest.raises(InputError, match='80 bands'):
    invert(np.zeros((1, 5, 80)))


def test_a_saved_model_that_can_not_be_called_or_read_is_refused(saved_models, tmp_path):
  with pytest.raises(InputError, match='neither: can not be called and has no signature serving_default'):
    choose_inverter(saved_models / 'neither', MelConfig())
  (tmp_path / 'saved_model.pb').write_bytes((saved_models / 'callable' / 'saved_model.pb').read_bytes()[:500])
  with pytest.raises(InputError, match='damaged SavedModel'):
    choose_inverter(tmp_path, MelConfig())
