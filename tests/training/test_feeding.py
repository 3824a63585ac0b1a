"""From a run's configuration to batches on the device."""

import dataclasses
import itertools
import threading

import jax
import numpy as np
import pytest

from mt3_synth.errors import InputError
from mt3_synth.train import train
from mt3_synth.training.feeding import make_loader, on_device
from tests.data.prepared import write_prepared
from tests.data.tiny import tiny_song


class Walk:
  """Batches 0, 1, ... as a loader's walk gives them."""

  def __init__(self, batches):
    self.batches, self.given = batches, 0

  def __next__(self):
    batch = next(self.batches)
    self.given += 1
    return batch

  def get_state(self):
    return {'next_batch': self.given}


def test_batches_come_in_order_on_the_device_and_with_where_to_go_on():
  walk = on_device(Walk({'n': np.array(n)} for n in itertools.count()))
  taken = [next(walk) for _ in range(5)]
  assert [int(batch['n']) for batch, _ in taken] == [0, 1, 2, 3, 4]
  assert [state['next_batch'] for _, state in taken] == [1, 2, 3, 4, 5]
  assert all(isinstance(batch['n'], jax.Array) for batch, _ in taken)
  walk.close()


def test_one_batch_is_taken_ahead_and_none_after_closing():
  asked = threading.Semaphore(0)
  counter = itertools.count()

  def batches():
    while True:
      asked.release()
      yield {'n': next(counter)}

  walk = on_device(Walk(batches()), put=lambda batch: batch)
  assert next(walk)[0] == {'n': 0}
  assert asked.acquire(timeout=10)
  assert asked.acquire(timeout=10)  # the second was asked for while the first was in use
  walk.close()
  assert next(counter) == 2


def test_a_fault_in_the_background_reaches_the_caller():
  def batches():
    yield {'n': 0}
    raise InputError('the disk is gone')

  walk = on_device(Walk(batches()), put=lambda batch: batch)
  assert next(walk)[0] == {'n': 0}
  with pytest.raises(InputError, match='the disk is gone'):
    next(walk)


def test_corpora_of_all_kinds_are_mixed(config, tmp_path):
  constant = dataclasses.replace(tiny_song(12.0, 'a'), audio=np.full(12 * 16000, 7, np.int16))
  write_prepared(tmp_path / 'data' / 'tiny' / 'default' / '1.0.0', {'train': [constant]})
  corpora = ('embedded', 'tiny', config.corpora[0])
  config = dataclasses.replace(config, corpora=corpora, data_dir=str(tmp_path / 'data'), temperature=1e9, batch_size=30)
  batch = make_loader(config, 'train').batch(0)
  assert batch['frames'].shape == (30,)
  assert (batch['audio'][:, :100] == 7).all(axis=1).sum() == 10


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    (
      {'corpora': ('mega',), 'data_dir': 'nowhere'},
      "no corpus 'maestro/v3': expected a folder maestro/v3 or nowhere/maestro/v3; prepare it",
    ),
    ({'corpora': ()}, 'no corpora; name at least one'),
    ({'workers': -1}, 'workers is -1, expected at least 0'),
    ({'crops_per_visit': 0}, 'crops_per_visit is 0'),
    ({'temperature': -1.0}, 'temperature is -1.0, expected a number above 0'),
    ({'seed': -1}, 'seed is -1'),
    ({'workers': 3}, 'a batch of 2 can not be shared evenly among 1 x 3 hosts x workers'),
  ],
)
def test_what_can_not_be_trained_on_is_told_and_no_folder_is_made(config, tmp_path, changes, says):
  with pytest.raises(InputError, match=says):
    train(dataclasses.replace(config, model_dir=str(tmp_path / 'run'), **changes))
  assert not (tmp_path / 'run').exists()
