"""SeqIO's batches in the trainer; SeqIO's own tools on the tasks."""

import dataclasses
import importlib
import itertools
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.config import ModelConfig
from mt3_synth.data.drawing import consecutive_starts
from mt3_synth.data.examples import Crops
from mt3_synth.data.prepared import PreparedSplit
from mt3_synth.errors import InputError
from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import make_model
from mt3_synth.train import train
from mt3_synth.training.config import OptimizerConfig, TrainConfig
from mt3_synth.training.feeding import make_loader
from mt3_synth.training.optimizer import make_optimizer
from mt3_synth.training.step import new_state, train_step
from tests.data.prepared import write_prepared
from tests.data.tasks.conftest import LENGTHS
from tests.data.tiny import FRAMES, tiny_model, tiny_song, tiny_variant, untrained
from tests.data_prep.corpora import layouts

seqio = pytest.importorskip('seqio', reason="SeqIO is not installed: pip install 'mt3_synth[data]'")

from data_prep.prepare.job import prepare  # noqa: E402
from data_prep.prepare.local import write_locally  # noqa: E402
from data_prep.prepare.plan import make_plan  # noqa: E402
from mt3_synth.data.tasks import batches as batches_module  # noqa: E402
from mt3_synth.data.tasks.batches import TaskLoader, trainer_batch  # noqa: E402
from mt3_synth.data.tasks.converters import ContextDiffusionConverter  # noqa: E402
from mt3_synth.data.tasks.registry import CORPORA  # noqa: E402
from mt3_synth.data.tasks.tasks import synthesis_with_context  # noqa: E402

ROOT = Path(__file__).parents[3]
OPTIMIZER = OptimizerConfig('adamw', 1e-2)


@pytest.fixture
def config(data_dir, tmp_path):
  return TrainConfig(
    model_dir=str(tmp_path / 'run'),
    corpora=('large', 'small/v1'),
    data_dir=str(data_dir),
    loader='seqio',
    model=tiny_model(),
    optimizer=OPTIMIZER,
    total_steps=4,
    batch_size=2,
    eval_batches=2,
    save_every=2,
  )


def assert_same(one, other):
  jax.tree.map(assert_array_equal, one, other)


@pytest.mark.parametrize('targets', ['log_mel', 'scaled'])
def test_the_model_gets_the_same_from_both_loaders(data_dir, targets):
  config = tiny_variant('ar_context')
  config = dataclasses.replace(config, autoregressive=dataclasses.replace(config.autoregressive, targets=targets))
  task = synthesis_with_context('t', data_dir / 'large', config, 'full_song')
  dataset = seqio.get_dataset(task, LENGTHS, ContextDiffusionConverter(), 'validation', batch_size=15)
  from_seqio = to_model_batch(trainer_batch(next(dataset.as_numpy_iterator())), make_model(config))
  split = PreparedSplit(data_dir / 'large', 'validation')
  songs = [Crops(split.song(number), config) for number in range(3)]
  crops = [song.crop(int(start)) for song in songs for start in consecutive_starts(song.excerpt.song_frames, FRAMES)]
  expected = to_model_batch(jax.tree.map(lambda *arrays: np.stack(arrays), *crops), make_model(config))
  jax.tree.map(lambda one, other: assert_allclose(one, other, atol=2e-4, rtol=2e-5), from_seqio, expected)


def test_batches_are_a_function_of_seed_and_number(config, monkeypatch):
  monkeypatch.setattr(batches_module, 'SEEDED_BATCHES', 3)
  with make_loader(config, 'train').walk() as walk:
    drawn = [next(walk) for _ in range(8)]
    state = walk.get_state()
  assert state == {'next_batch': 8}
  with make_loader(config, 'train').walk() as walk:
    walk.set_state({'next_batch': 4})
    for batch in drawn[4:]:
      assert_same(next(walk), batch)
  loader = make_loader(config, 'train')
  for number in (5, 6, 2):
    assert_same(loader.batch(number), drawn[number])
  other = make_loader(dataclasses.replace(config, seed=1), 'train').batch(0)
  assert all(not np.array_equal(one['targets'], other['targets']) for one in drawn)
  assert all(not np.array_equal(drawn[n]['targets'], drawn[n + 3]['targets']) for n in range(5))  # seeded anew is not the same again


def test_hosts_share_batches(data_dir):
  of = lambda **hosts: TaskLoader([data_dir / 'large'], tiny_model(), 60, 0, too_long='thin', **hosts).batch(0)['targets']
  shares = [of(host=host, hosts=2) for host in range(2)]
  assert [len(share) for share in shares] == [30, 30]
  assert len({example.tobytes() for share in shares for example in share}) == 60


@pytest.mark.slow
def test_a_stopped_run_goes_on_bit_for_bit(config, tmp_path):
  whole = train(config)
  stopped = dataclasses.replace(config, model_dir=str(tmp_path / 'stopped'))
  train(dataclasses.replace(stopped, total_steps=2))
  assert_same(jax.device_get(train(stopped).params), jax.device_get(whole.params))


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    ({'model': tiny_model('aligned')}, "SeqIO tasks carry 'tokens' alone; train on it with loader 'grain'"),
    ({'workers': 2}, "TrainConfig.workers is 2, which loader 'grain' alone can do"),
    ({'crops_per_visit': 4}, "TrainConfig.crops_per_visit is 4, which loader 'grain' alone can do"),
    ({'corpora': ('mega',)}, "no corpus 'maestro/v3'"),
    ({'corpora': ('embedded',)}, "no corpus 'embedded'"),
  ],
)
def test_what_can_not_be_trained_on_is_told(config, changes, says):
  with pytest.raises(InputError, match=says):
    train(dataclasses.replace(config, **changes))
  assert not Path(config.model_dir).exists()


def test_a_damaged_file_is_named(config, tmp_path):
  folder = write_prepared(tmp_path / 'corpus', {'train': [tiny_song(60.0)]}, shards=1)
  (shard,) = folder.glob('*.array_record*')
  data = bytearray(shard.read_bytes())
  data[len(data) // 2 : len(data) // 2 + 4096] = b'\xff' * 4096
  shard.write_bytes(data)
  loader = make_loader(dataclasses.replace(config, corpora=(str(folder),), batch_size=8), 'train')
  with loader.walk() as walk, pytest.raises(InputError, match=f'{shard}: damaged'):
    list(itertools.islice(walk, 10))


def take_step(model: ModelConfig, corpora: tuple[str, ...], data_dir: Path, loader: Any) -> None:
  config = TrainConfig('', corpora, str(data_dir), loader=loader, model=model, batch_size=2)
  batch, tx = make_loader(config, 'train').batch(0), make_optimizer(OPTIMIZER, 1)
  state = new_state(untrained(model), tx)
  _, metrics = train_step(state, batch, jax.random.key(0), model=make_model(model), tx=tx, ema_decay=0.9)
  assert np.isfinite(metrics['loss'])
  assert metrics['grad_norm'] > 0


@pytest.mark.parametrize('variant', ['context', 'ar'])
def test_models_with_and_without_context_take_a_step(data_dir, variant):
  take_step(tiny_variant(variant), ('large', 'small'), data_dir, 'seqio')


@pytest.mark.slow
def test_every_task_of_every_corpus_takes_a_step(tmp_path):
  sources = {
    'maestro': [('v1', '1.0.0'), ('v2', '2.0.0'), ('v3', '3.0.0')],
    **{name: [('', '')] for name in ('slakh2100', 'cerberus4', 'urmp', 'guitarset', 'musicnet')},
  }
  for name, versions in sources.items():
    for config, version in versions:
      write = getattr(layouts, 'write_slakh' if name == 'cerberus4' else f'write_{name.removesuffix("2100")}')
      raw = write(tmp_path / 'raw' / name / version, **({'version': version} if version else {}))
      plan = make_plan(importlib.import_module(f'data_prep.{name}.reader').CORPUS, raw, config or None)
      prepare(plan, tmp_path / 'data', partial(write_locally, workers=1))
  for variant in ('context', 'basic', 'ar'):
    for loader in ('seqio', 'grain'):
      for corpus in (*CORPORA, 'mega'):
        take_step(tiny_variant(variant), (corpus,), tmp_path / 'data', loader)


@pytest.mark.slow
def test_seqio_caches_tasks_and_reads_them(registry, tmp_path):
  pytest.importorskip('google_crc32c', reason='Beam writes no TFRecord without: pip install google-crc32c')
  write_prepared(tmp_path / 'data' / 'urmp', {'train': [tiny_song(8.0)], 'validation': [tiny_song(12.0), tiny_song(3.0, 'b')]})
  tasks = ('urmp_synthesis_with_context_train', 'urmp_synthesis_with_context_full_song')
  subprocess.run(
    [sys.executable, '-m', 'seqio.scripts.cache_tasks_main', '--module_import=mt3_synth.data.tasks.registered']
    + [f'--tasks={",".join(tasks)}', f'--output_cache_dir={tmp_path / "cache"}', '--min_shards=2'],
    check=True,
    cwd=ROOT,
    env=os.environ | {'MT3_SYNTH_DATA_DIR': str(tmp_path / 'data')},
    timeout=300,
  )
  seqio.add_global_cache_dirs([str(tmp_path / 'cache')])
  train_task = synthesis_with_context(tasks[0], tmp_path / 'data' / 'urmp', ModelConfig(), 'train')
  song_task = synthesis_with_context(tasks[1], tmp_path / 'data' / 'urmp', ModelConfig(), 'full_song')
  read = lambda task, split, cached, **options: list(task.get_dataset(None, split, use_cached=cached, **options).as_numpy_iterator())
  order = lambda examples: sorted(examples, key=lambda example: (example['song_id'], example['segment']))
  cached, made = [order(read(song_task, 'validation', use, shuffle=False)) for use in (True, False)]
  assert len(made) == 3 + 1
  assert_same(cached, made)
  epochs = read(train_task, 'train', True, num_epochs=4, seed=0)
  assert len(epochs) == 4
  assert len({example['targets'].tobytes() for example in epochs}) > 2  # crops are drawn after the cache


@pytest.mark.slow
def test_a_program_ends_while_batches_are_being_made(data_dir):
  program = f"""
from mt3_synth.data.tasks.batches import TaskLoader
from tests.data_prep.corpora import layouts
from tests.data.tiny import tiny_model
walk = TaskLoader([{str(data_dir / 'large')!r}], tiny_model(), 4, 0).walk()
for _ in range(50):
  next(walk)
"""
  for _ in range(3):
    subprocess.run([sys.executable, '-c', program], check=True, cwd=ROOT, timeout=120)
