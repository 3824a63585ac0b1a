"""Whatever is given is recognised, or refused in one line; archives stay inside their folder."""

import stat
import sys
import zipfile

import pytest

from mt3_synth import cli
from mt3_synth.config import ModelConfig
from mt3_synth.errors import InputError
from mt3_synth.interop import archives, hub
from mt3_synth.interop.loading import load_model
from mt3_synth.models.pretrained import save_pretrained
from tests.interop.conftest import CONFIGS, assert_same
from tests.interop.folders import write_diffusers_folder, write_t5x


def refused(source, says):
  with pytest.raises(InputError, match=says) as error:
    load_model(source)
  assert '\n' not in str(error.value)


def zipped(folder, archive):
  with zipfile.ZipFile(archive, 'w') as into:
    for file in sorted(folder.rglob('*')):
      into.write(file, file.relative_to(folder.parent))
  return archive


def test_ours_and_the_demonstration_model(params, tmp_path):
  save_pretrained(tmp_path / 'model', CONFIGS['basic'], params['basic'], 'float32')
  assert_same(load_model(str(tmp_path / 'model')).params, params['basic'])
  assert isinstance(load_model().config, ModelConfig)


@pytest.mark.parametrize('write', [write_t5x, write_diffusers_folder])
def test_archives_of_checkpoints(params, tmp_path, write):
  write(tmp_path / 'base_with_context', CONFIGS['context'], params['context'])
  loaded = load_model(zipped(tmp_path / 'base_with_context', tmp_path / 'model.zip'))
  assert loaded.config == CONFIGS['context']
  assert_same(loaded.params, params['context'])


@pytest.fixture
def scratch(tmp_path, monkeypatch):
  """Where archives are unpacked."""
  folder = tmp_path / 'inside' / 'scratch'
  folder.mkdir(parents=True)
  monkeypatch.setattr(archives.tempfile, 'tempdir', str(folder))
  return folder


@pytest.mark.parametrize('name', ['../outside', '/tmp/outside', 'a/../../outside', '..\\outside', 'C:/outside'])
def test_a_name_that_leads_out_of_an_archive_is_refused(tmp_path, scratch, name):
  with zipfile.ZipFile(tmp_path / 'model.zip', 'w') as archive:
    archive.writestr('config.gin', '')
    archive.writestr(name, 'x')
  refused(tmp_path / 'model.zip', r'model\.zip: holds .*outside.*, which leads out of the archive; not unpacked')
  assert not list(tmp_path.rglob('outside'))
  assert not list(scratch.iterdir())


def test_a_link_in_an_archive_is_refused(tmp_path, scratch):
  link = zipfile.ZipInfo('checkpoint')
  link.external_attr = (stat.S_IFLNK | 0o777) << 16
  with zipfile.ZipFile(tmp_path / 'model.zip', 'w') as archive:
    archive.writestr(link, '/etc/passwd')
  refused(tmp_path / 'model.zip', 'leads out of the archive')


def test_a_truncated_or_damaged_archive_is_named_and_leaves_nothing(params, tmp_path, scratch):
  write_t5x(tmp_path / 'model', CONFIGS['basic'], params['basic'])
  archive = zipped(tmp_path / 'model', tmp_path / 'model.zip')
  whole = archive.read_bytes()
  for data in (b'', whole[:100], whole[:-100], whole[:2000] + b'damage' + whole[2006:]):
    archive.write_bytes(data)
    refused(archive, r'model\.zip: no zip archive, or cut short')
    assert not list(scratch.iterdir())
  assert cli.main(['import', str(archive), '--out', str(tmp_path / 'out')]) == 2
  assert not (tmp_path / 'out').exists()


def test_an_archive_that_does_not_fit_is_not_unpacked(tmp_path, scratch, monkeypatch):
  with zipfile.ZipFile(tmp_path / 'model.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
    archive.writestr('checkpoint', bytes(10**7))
  monkeypatch.setattr(archives.shutil, 'disk_usage', lambda _: type('Usage', (), {'free': 10**6}))
  refused(tmp_path / 'model.zip', r'unpacks to 0\.0 GB, and .* has 0\.0 GB free; set TMPDIR')


def test_what_is_no_model_is_refused(tmp_path):
  refused(tmp_path, 'has no config.json; expected a model folder')
  refused(tmp_path / 'nowhere', 'nowhere: no such folder')
  (tmp_path / 'file.ckpt').write_bytes(b'x')
  refused(tmp_path / 'file.ckpt', 'is a file; give the folder of a model, or a zip archive of one')
  zipfile.ZipFile(tmp_path / 'empty.zip', 'w').close()
  refused(tmp_path / 'empty.zip', 'holds no model')


def test_a_hub_id_without_huggingface_hub_or_network_says_what_to_download(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
  refused('google/music-spectrogram-diffusion', r'no such folder; .*pip install huggingface_hub, or download all files of google/music-')
  monkeypatch.delitem(sys.modules, 'huggingface_hub')
  pytest.importorskip('huggingface_hub')
  import huggingface_hub
  from huggingface_hub.errors import LocalEntryNotFoundError

  def offline(*_, **__):
    raise LocalEntryNotFoundError('Got: ConnectError\nAn error happened while')

  monkeypatch.setattr(huggingface_hub, 'snapshot_download', offline)
  refused('google/music-spectrogram-diffusion', r'not to be had from the Hugging Face hub \(Got: ConnectError\).*or download all files')


def test_a_hub_id_is_downloaded_with_pickles_only_where_there_is_nothing_safer(params, tmp_path, monkeypatch):
  huggingface_hub = pytest.importorskip('huggingface_hub')
  monkeypatch.chdir(tmp_path)
  cache = write_diffusers_folder(tmp_path / 'cache', CONFIGS['context'], params['context'])
  asked = []

  def download(name, allow_patterns):
    asked.append((name, '*.bin' in allow_patterns))
    return str(cache)

  monkeypatch.setattr(huggingface_hub, 'snapshot_download', download)
  assert_same(load_model('someone/model').params, params['context'])
  assert asked == [('someone/model', False)]
  for file in cache.rglob('*.safetensors'):
    file.unlink()
  refused('someone/model', 'has neither')
  assert asked[1:] == [('someone/model', False), ('someone/model', True)]


def test_what_looks_like_a_path_is_no_hub_id(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'runs').mkdir()
  assert hub.is_hub_id('owner/name')
  assert not any(map(hub.is_hub_id, ['runs/name', './name', '../a/b', '/a/b', 'a/b/c', 'name', '~/name']))
