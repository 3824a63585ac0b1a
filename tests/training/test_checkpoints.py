"""Which checkpoints stay, and what happens when one can't be written."""

import resource
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mt3_synth.errors import InputError
from mt3_synth.training.checkpoints import Checkpoints, read_checkpoint
from mt3_synth.training.step import TrainState


def state(step, size=8) -> TrainState:
  noise = jnp.asarray(np.random.default_rng(step).normal(size=size), jnp.float32)  # nothing that could be packed
  return TrainState(jnp.asarray(step), {'a': noise}, {'a': noise + 1}, [{'m': noise + 2}, None])


def steps(folder):
  return sorted(int(path.name) for path in (folder / 'checkpoints').iterdir() if path.name.isdigit())


def test_all_that_a_run_needs_comes_back(tmp_path):
  loop = {'loader': {'next_batch': 3}, 'window': [{'loss': 0.1}]}
  with Checkpoints(tmp_path, keep=1) as checkpoints:
    assert checkpoints.restore(state(0)) is None
    assert checkpoints.newest() is None
    checkpoints.save(state(3), loop, 0.5)
    assert checkpoints.newest() == tmp_path / 'checkpoints' / '3'
  with Checkpoints(tmp_path, keep=1) as checkpoints:
    like = state(0)
    saved = checkpoints.restore(like)
  assert saved is not None
  jax.tree.map(assert_array_equal, saved.state, state(3))
  assert saved.loop == loop
  assert like.params['a'].is_deleted()  # memory holds one state


def test_the_newest_the_regular_and_the_best_stay(tmp_path):
  losses = {1: 0.5, 2: 0.1, 3: 0.3, 4: None, 5: 0.4, 6: None, 7: 0.6}
  with Checkpoints(tmp_path, keep=2, keep_every=3, keep_best=1) as checkpoints:
    for step, loss in losses.items():
      checkpoints.save(state(step), {}, loss)
  assert steps(tmp_path) == [2, 3, 6, 7]
  with Checkpoints(tmp_path, keep=1, keep_best=2) as checkpoints:  # also of what earlier processes saved
    checkpoints.save(state(8), {}, None)
  assert steps(tmp_path) == [2, 3, 8]


def test_another_run_s_checkpoint_is_read_and_left_alone(tmp_path):
  with Checkpoints(tmp_path, keep=3) as checkpoints:
    for step in (1, 2):
      checkpoints.save(state(step), {'loader': {'next_batch': step}, 'window': []})
  unfinished = tmp_path / 'checkpoints' / '3.orbax-checkpoint-tmp'
  unfinished.mkdir()  # that run may be at it
  assert int(read_checkpoint(str(tmp_path), state(0)).state.step) == 2
  saved = read_checkpoint(str(tmp_path / 'checkpoints' / '1'), state(0))
  jax.tree.map(assert_array_equal, saved.state, state(1))
  assert unfinished.is_dir()
  with pytest.raises(InputError, match='checkpoints/5: no such checkpoint; .* has 1, 2'):
    read_checkpoint(str(tmp_path / 'checkpoints' / '5'), state(0))
  with pytest.raises(InputError, match='nowhere: no such checkpoint; expected the folder of a run'):
    read_checkpoint(str(tmp_path / 'nowhere'), state(0))
  with pytest.raises(InputError, match='of another optimiser or model'):
    read_checkpoint(str(tmp_path), state(0, size=9))


@contextmanager
def no_file_above(size):
  """As on a disk that is full: writing fails after so many bytes."""
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize('found', ['at the next save', 'at the end'])
def test_a_full_disk_leaves_the_checkpoint_before_and_says_so_in_one_line(tmp_path, capfd, found):
  def run():
    with Checkpoints(tmp_path, keep=1) as checkpoints:
      checkpoints.save(state(1), {})
      checkpoints.newest()
      with no_file_above(20000):
        checkpoints.save(state(2, size=100000), {})
        if found == 'at the next save':
          checkpoints.save(state(3, size=100000), {})
        checkpoints.__exit__(None)

  with pytest.raises(InputError, match='a checkpoint could not be written .*the checkpoint of step 1 is whole: free space') as error:
    run()
  assert '\n' not in str(error.value)
  assert len(str(error.value)) < 300
  assert 'Traceback' not in capfd.readouterr().err
  assert steps(tmp_path) == [1]
  with Checkpoints(tmp_path, keep=1) as checkpoints:
    saved = checkpoints.restore(state(0))
    assert saved is not None
    assert int(saved.state.step) == 1
    checkpoints.save(state(2), {})
  assert [path.name for path in (tmp_path / 'checkpoints').iterdir()] == ['2']
