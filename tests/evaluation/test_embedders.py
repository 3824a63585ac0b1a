"""Embedders by name, by path and by import; what can't be had is told in one line."""

import importlib.metadata
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.audio.mel import log_mel
from mt3_synth.errors import InputError
from mt3_synth.evaluation import embedders
from mt3_synth.evaluation.embedders import choose_embedder, hash_folder
from mt3_synth.evaluation.logmel_stats import LOG_OFFSET, MEL, PATCH, SHORTEST, embed


class Levels:
  """An embedder: mean and spread of each second."""

  def __call__(self, audio):
    seconds = audio[: len(audio) // 16000 * 16000].reshape(-1, 16000)
    return np.stack([seconds.mean(1), seconds.std(1)], axis=1)


class Broken:
  def __init__(self):
    raise OSError('no weights')


def one_row(audio):
  return np.zeros(3)


def not_finite(audio):
  return np.full((2, 3), np.nan)


NOTHING = 5


def noise(samples):
  return (np.random.default_rng(0).normal(size=samples) * 0.1).astype(np.float32)


def test_logmel_stats_has_the_features_that_vggish_begins_with():
  assert (MEL.sample_rate, MEL.window, MEL.hop, MEL.bands) == (16000, 400, 160, 64)  # 25 ms every 10 ms
  assert (MEL.low_hz, MEL.high_hz, LOG_OFFSET, PATCH) == (125, 7500, 0.01, 96)


def test_logmel_stats_are_means_and_deviations_of_whole_patches():
  audio = noise(3 * 16000)
  found = embed(audio)
  magnitudes = np.exp(np.asarray(log_mel(audio, MEL)))  # above its floor: this is noise
  logs = np.log(magnitudes + 0.01)
  assert found.shape == (3, 128)
  for patch in range(3):
    rows = logs[patch * PATCH : (patch + 1) * PATCH]
    assert_allclose(found[patch], np.concatenate([rows.mean(0), rows.std(0)]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(('samples', 'windows'), [(0, 0), (100, 0), (SHORTEST - 1, 0), (SHORTEST, 1), (SHORTEST + PATCH * 160, 2)])
def test_only_whole_patches_count(samples, windows):
  assert embed(noise(samples)).shape == (windows, 128)


def test_the_default_has_a_name_and_a_hash():
  found = choose_embedder('logmel_stats')
  assert (found.name, len(found.hash)) == ('logmel_stats', 16)
  assert found(np.zeros(16000)).shape == (1, 128)


@pytest.mark.parametrize(('spec', 'name'), [(f'{__name__}:Levels', 'Levels'), (f'levels={__name__}:Levels', 'levels')])
def test_any_python_object(spec, name):
  found = choose_embedder(spec)
  assert found.name == name
  assert len(found.hash) == 64 or len(found.hash) == 16
  assert found(np.ones(40000)).tolist() == [[1, 0], [1, 0]]


def test_one_that_a_package_has_registered(monkeypatch):
  entry = importlib.metadata.EntryPoint('levels', f'{__name__}:Levels', embedders.ENTRY_POINTS)
  registered = importlib.metadata.EntryPoints([entry])
  monkeypatch.setattr(importlib.metadata, 'entry_points', lambda **wanted: registered.select(**wanted))
  assert choose_embedder('levels')(np.ones(16000)).shape == (1, 2)
  with pytest.raises(InputError, match='there are levels, logmel_stats, trill=FOLDER, vggish=FOLDER and MODULE:OBJECT'):
    choose_embedder('other')


@pytest.mark.parametrize(
  ('spec', 'says'),
  [
    ('nothing', "no embedder 'nothing'; there are logmel_stats"),
    ('vggish', 'needs a path; fetch the SavedModel of https://.*and give vggish=FOLDER'),
    ('trill=/nowhere', 'embedder trill: /nowhere has no saved_model.pb; fetch'),
    ('x=no_such_module:X', 'no_such_module:X can not be imported .No module'),
    (f'{__name__}:Missing', 'Missing can not be imported'),
    (f'{__name__}:Broken', r'can not be made \(OSError: no weights\)'),
    (f'{__name__}:NOTHING', 'NOTHING is int, expected what can be called'),
  ],
)
def test_what_is_no_embedder_is_told(spec, says):
  with pytest.raises(InputError, match=says):
    choose_embedder(spec)


def test_what_is_no_embedding_is_told():
  with pytest.raises(InputError, match=r'embedder one_row: gave shape \[3\], expected \[windows'):
    choose_embedder(f'{__name__}:one_row')(noise(100))
  with pytest.raises(InputError, match='embedder not_finite: 6 values are NaN'):
    choose_embedder(f'{__name__}:not_finite')(noise(100))


def test_the_hash_of_a_folder_is_of_names_and_contents(tmp_path):
  (tmp_path / 'a').mkdir()
  (tmp_path / 'a' / 'x').write_bytes(b'1')
  first = hash_folder(tmp_path)
  (tmp_path / 'a' / 'x').rename(tmp_path / 'a' / 'y')
  second = hash_folder(tmp_path)
  (tmp_path / 'a' / 'y').write_bytes(b'2')
  assert len({first, second, hash_folder(tmp_path)}) == 3


def test_without_tensorflow_a_saved_model_says_so(tmp_path, monkeypatch):
  (tmp_path / 'saved_model.pb').write_bytes(b'')
  monkeypatch.setitem(sys.modules, 'tensorflow', None)
  with pytest.raises(InputError, match='embedder vggish: needs TensorFlow'):
    choose_embedder(f'vggish={tmp_path}')


@pytest.mark.slow  # for TensorFlow
def test_saved_models_are_called_as_those_of_the_hub(tmp_path):
  tf = pytest.importorskip('tensorflow')

  class Vggish(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, waveform):
      return tf.tile(tf.reduce_mean(tf.reshape(waveform, [-1, 16000]), axis=1, keepdims=True), [1, 128])

  class Trill(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([], tf.int32)])
    def __call__(self, samples, sample_rate):
      return {'embedding': tf.tile(tf.reshape(samples, [1, -1, 4000])[:, :, :1], [1, 1, 512])}

  for name, module, shape in (('vggish', Vggish, (2, 128)), ('trill', Trill, (8, 512))):
    tf.saved_model.save(module(), str(tmp_path / name))
    found = choose_embedder(f'{name}={tmp_path / name}')
    assert found(np.ones(17000)).shape == shape  # of two whole seconds
    assert len(found.hash) == 16
  with pytest.raises(InputError, match='does not take sound'):
    choose_embedder(f'trill={tmp_path / "vggish"}')(np.ones(17000))
  (tmp_path / 'vggish' / 'saved_model.pb').write_bytes(b'damaged')
  with pytest.raises(InputError, match='damaged SavedModel'):
    choose_embedder(f'vggish={tmp_path / "vggish"}')
