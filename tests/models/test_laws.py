"""What holds for every model: each decoder, told notes in each way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.config import SamplerConfig
from mt3_synth.models.aligned import AlignedNotes
from mt3_synth.models.model import make_model
from tests.data.tiny import tiny_variant
from tests.models.examples import BANDS, Example, example, outputs

SAMPLER = SamplerConfig('ddim', steps=2, guidance=1.0)


CASES = [
  ('context', 'tokens'),
  ('context', 'aligned'),
  ('basic', 'aligned'),
  ('ar', 'tokens'),
  ('ar_context', 'aligned'),
  ('mixture', 'aligned'),
]


@pytest.fixture(scope='module', params=CASES, ids='-'.join)
def case(request) -> Example:
  return example(tiny_variant(*request.param))


@pytest.fixture(scope='module')
def losses(case):
  """(the loss and its metrics, the evaluation's metrics) of a batch and a key, compiled."""
  return jax.jit(lambda batch, key: (case.model.loss(case.params, batch, key), case.model.evaluation_loss(case.params, batch, key)))


def test_notes_and_context_are_heard(case):
  conditions, plain = case.conditions, outputs(case)
  other = jax.tree.map(lambda x: jnp.roll(x, 1, axis=0), conditions.notes)
  assert not np.allclose(plain, outputs(case, conditions._replace(notes=other)), atol=1e-4)
  if conditions.context is not None:
    assert not np.allclose(plain, outputs(case, conditions._replace(context=-conditions.context)), atol=1e-4)


def test_padding_and_what_is_masked_change_nothing(case):
  conditions = case.conditions
  if isinstance(conditions.notes, AlignedNotes):
    other = jax.tree.map(lambda x: jnp.pad(x, [(0, 0), (0, 3)]), conditions.notes)
  else:
    other = conditions.notes[:, :4]
  other = conditions._replace(notes=other)
  if conditions.context is not None:
    other = other._replace(context=jnp.where(conditions.context_mask[..., None] > 0, conditions.context, 0.3))
  assert_allclose(outputs(case, other), outputs(case), atol=1e-5)


def test_dropped_conditions_are_not_heard(case):
  keep = jnp.array([True, False])
  dropped, other = outputs(case, case.conditions.where(keep)), jax.tree.map(lambda x: jnp.roll(x, 1, axis=0), case.conditions)
  assert_allclose(dropped[0], outputs(case)[0], atol=1e-5)
  assert_allclose(dropped[1], outputs(case, other.where(keep))[1], atol=1e-5)


def batch_of(case, targets, heard=None):
  mask = jnp.ones(targets.shape[:2])
  return {'conditions': case.conditions, 'targets': targets, 'targets_mask': mask if heard is None else mask.at[:, heard:].set(0)}


def test_losses_repeat_with_their_keys(case, losses):
  batch = batch_of(case, case.targets)
  (value, metrics), evaluated = losses(batch, jax.random.key(3))
  assert np.isfinite(value)
  assert value == metrics['loss'] == losses(batch, jax.random.key(3))[0][0]
  assert value != losses(batch, jax.random.key(4))[0][0]
  assert set(evaluated) == set(metrics)
  assert value != evaluated['loss']  # no dropout, nothing weakened


def test_masked_frames_of_the_target_do_not_count(case, losses):
  louder = case.targets.at[:, 9:].add(7.0)
  error = lambda targets, heard: losses(batch_of(case, targets, heard), jax.random.key(0))[1]['loss']
  if case.model.config.decoder == 'autoregressive':  # what is denoised hears all frames
    assert_allclose(error(louder, 9), error(case.targets, 9), rtol=1e-5)
  assert error(louder, None) > 2 * error(case.targets, 9)


def test_predictions_are_in_range_and_repeat_each_with_its_key(case):
  draw = jax.jit(lambda conditions, keys: case.model.predict(case.params, conditions, keys, SAMPLER))
  keys, swapped = jax.random.split(jax.random.key(5), 2), jax.tree.map(lambda x: x[::-1], case.conditions)
  one = np.asarray(draw(case.conditions, keys))
  assert one.shape == (2, case.model.config.network.target_frames, BANDS)
  assert np.abs(one).max() <= 1
  assert_array_equal(one, draw(case.conditions, keys))
  assert_allclose(draw(swapped, keys[::-1]), one[::-1], atol=2e-5)
  drawn = case.model.config.decoder == 'diffusion' or case.model.config.autoregressive.output == 'mixture'
  assert (one != draw(case.conditions, keys[::-1])).any() == drawn


def test_parameters_have_axes_and_equal_models_are_equal(case):
  config = case.model.config
  assert make_model(config) == case.model
  assert hash(make_model(config)) == hash(case.model)
  for path, box in jax.tree_util.tree_leaves_with_path(
    jax.eval_shape(case.model.init, jax.random.key(0)), is_leaf=lambda x: hasattr(x, 'names')
  ):
    assert len(box.names) == box.value.ndim, path
