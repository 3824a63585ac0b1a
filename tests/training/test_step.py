import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.audio.mel import log_mel, scale
from mt3_synth.data.examples import Crops
from mt3_synth.data.pieces import whole
from mt3_synth.models.aligned import AlignedNotes
from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import make_model
from tests.data.tiny import CONTEXT, FRAMES, tiny_model, tiny_song

SONG = tiny_song(2.0)  # 100 frames


def model_batch(conditioning, starts):
  config = tiny_model(conditioning)
  crops = Crops(whole(SONG), config)
  batch = jax.tree.map(lambda *arrays: np.stack(arrays), *[crops.crop(start) for start in starts])
  return batch, to_model_batch(batch, make_model(config))


@pytest.fixture(scope='module')
def made():
  return model_batch('tokens', [90, 0, 3])


def test_targets_are_the_songs_mel_and_nothing_past_its_end(made):
  targets, mask = np.asarray(made[1]['targets']), np.asarray(made[1]['targets_mask'])
  whole = np.asarray(scale(log_mel(SONG.audio)))
  assert_allclose(targets[1], whole[:FRAMES], atol=1e-5)
  assert_allclose(targets[0, :10], whole[90:], atol=1e-5)
  assert_array_equal(targets[0, 10:], -1)
  assert_array_equal(mask, [[1] * 10 + [0] * 6, [1] * 16, [1] * 16])


def test_the_context_ends_where_the_target_starts(made):
  conditions = made[1]['conditions']
  context, mask = np.asarray(conditions.context), np.asarray(conditions.context_mask)
  whole = np.asarray(scale(log_mel(SONG.audio)))
  assert_allclose(context[0], whole[90 - CONTEXT : 90], atol=1e-5)
  assert_array_equal(context[1], -1)
  assert_allclose(context[2, :3], whole[:3], atol=1e-5)
  assert_array_equal(context[2, 3:], -1)  # of the target, nothing is told
  assert_array_equal(mask.sum(axis=1), [CONTEXT, 0, 3])


def test_notes_go_through_as_they_are(made):
  batch, made = made
  assert_array_equal(made['conditions'].notes, batch['notes'])
  batch, made = model_batch('aligned', [20])
  assert isinstance(made['conditions'].notes, AlignedNotes)
  assert_array_equal(made['conditions'].notes.onset, batch['notes']['onset'])
