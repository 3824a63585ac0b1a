"""TFDS's own way to a dataset gives the files of `mt3-synth prepare`."""

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tensorflow_datasets as tfds

from data_prep.prepare.builder import CorpusBuilder, builder_configs
from data_prep.prepare.corpora import corpus_names, load_corpus
from data_prep.prepare.folder import work_folder
from data_prep.prepare.job import prepare
from data_prep.prepare.local import write_locally
from data_prep.prepare.plan import make_plan
from mt3_synth.errors import InputError
from tests.data_prep.prepare.made_up import CORPUS, files


class MadeUp(CorpusBuilder, skip_registration=True):
  name = 'made_up'
  CORPUS = CORPUS
  BUILDER_CONFIGS = builder_configs(CORPUS)


@pytest.fixture
def source(tmp_path):
  (tmp_path / 'source' / 'songs').mkdir(parents=True)
  return tmp_path / 'source'


def build(source: Path, out: Path, config: str | None = None, **options) -> Any:
  builder = MadeUp(data_dir=str(out), config=config)
  builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=source, **options))
  return builder


@pytest.mark.parametrize('config', ['default', 'short'])
def test_a_builder_writes_what_the_verb_writes(source, tmp_path, config, monkeypatch):
  monkeypatch.setattr('os.cpu_count', lambda: 1)
  builder = build(source, tmp_path / 'tfds', config)
  prepared = prepare(make_plan(CORPUS, source, config), tmp_path / 'verb', partial(write_locally, workers=1))
  assert files(tmp_path / 'tfds' / 'made_up' / config / '1.0.0') == files(prepared.folder)
  assert not list(tmp_path.rglob('*.incomplete*'))
  assert len(builder.as_data_source('train')) == builder.info.splits['train'].num_examples > 0
  assert tfds.builder(f'made_up/{config}', data_dir=tmp_path / 'tfds').info.splits.keys() == builder.info.splits.keys()


def test_a_builder_goes_on_with_what_the_verb_began(source, tmp_path, monkeypatch):
  monkeypatch.setattr('os.cpu_count', lambda: 1)
  plan, out = make_plan(CORPUS, source), tmp_path / 'out'

  def stop(shards, folder):
    write_locally(shards[:5], folder, workers=1)
    raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    prepare(plan, out, stop)
  times = {path.name: path.stat().st_mtime_ns for path in work_folder(plan, out).glob('made_up-*')}
  build(source, out)
  final = out / 'made_up' / 'default' / '1.0.0'
  assert len(times) == 5
  assert {name: (final / name).stat().st_mtime_ns for name in times} == times


def test_a_builder_runs_on_beam(source, tmp_path):
  from apache_beam.options.pipeline_options import PipelineOptions

  build(source, tmp_path / 'beam', beam_options=PipelineOptions(['--runner=DirectRunner']))
  prepared = prepare(make_plan(CORPUS, source), tmp_path / 'verb', partial(write_locally, workers=1))
  assert files(tmp_path / 'beam' / 'made_up' / 'default' / '1.0.0') == files(prepared.folder)


def test_another_format_is_refused():
  with pytest.raises(InputError, match='file_format is tfrecord, expected array_record'):
    MadeUp(file_format='tfrecord')


@pytest.mark.parametrize('name', corpus_names())
def test_every_corpus_has_a_builder(name, tmp_path):
  builder = importlib.import_module(f'data_prep.{name}.{name}_dataset_builder').Builder(data_dir=str(tmp_path))
  corpus = load_corpus(name)
  assert builder.name == corpus.name == name
  assert list(builder.builder_configs) == list(corpus.configs)
  assert builder.builder_config_name == next(iter(corpus.configs))
  assert builder.info.redistribution_info.license == corpus.licence
  assert builder.info.supervised_keys is None
  assert builder.info.module_name == f'data_prep.{name}.{name}_dataset_builder'
