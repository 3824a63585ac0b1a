"""Every decoder trains and plays: a few steps on the small corpus, and a batch learnt by heart."""

import dataclasses

import jax
import numpy as np
import pytest

from mt3_synth.data.examples import Crops
from mt3_synth.data.pieces import whole
from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import make_model
from mt3_synth.pipeline import SpectrogramDiffusionPipeline
from mt3_synth.train import train
from mt3_synth.training.config import OptimizerConfig
from mt3_synth.training.optimizer import make_optimizer
from mt3_synth.training.step import new_state, train_step
from tests.data.tiny import FRAMES, VARIANTS, melody, tiny_song, tiny_variant, untrained


@pytest.mark.parametrize('name', [name for name in VARIANTS if name != 'context'])
def test_the_verb_trains_it_and_the_pipeline_plays_it(config, tmp_path, name):
  config = dataclasses.replace(
    config, model=tiny_variant(name, 'aligned'), model_dir=str(tmp_path), total_steps=2, save_every=2, eval_every=2
  )
  state = train(config)
  assert int(state.step) == 2
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(state.params))
  pipe = SpectrogramDiffusionPipeline.from_pretrained(tmp_path)
  (mel,) = pipe(melody(0.5), output_type='mel').mels
  assert mel.shape[1] == 128
  assert len(mel) > 2 * FRAMES  # more segments than one
  assert np.isfinite(mel).all()


def batch_of(config):
  crops = Crops(whole(tiny_song(2.0)), config)
  return jax.tree.map(lambda *arrays: np.stack(arrays), *[crops.crop(start) for start in (10, 40)])


def test_without_context_none_is_made():
  batch = batch_of(tiny_variant('basic'))
  assert set(batch) == {'notes', 'audio', 'frames'}
  assert to_model_batch(batch, make_model(tiny_variant('basic')))['conditions'].context is None


def test_targets_are_in_the_units_that_the_model_says():
  raw = dataclasses.replace(tiny_variant('ar').autoregressive, targets='log_mel')
  config = dataclasses.replace(tiny_variant('ar'), autoregressive=raw)
  batch = batch_of(config)
  batch['frames'][1] = 4
  logarithms = np.asarray(to_model_batch(batch, make_model(config))['targets'])
  scaled = np.asarray(to_model_batch(batch, make_model(tiny_variant('ar')))['targets'])
  assert logarithms.min() < -1 < -0.99 < scaled[0].min()
  assert (logarithms[1, 4:] == 0).all()
  assert (scaled[1, 4:] == -1).all()


@pytest.mark.parametrize('name', ['basic', 'ar', 'mixture'])
def test_a_batch_is_learnt_by_heart(name):
  config = tiny_variant(name, 'aligned', dropout=0.0)
  model, tx = make_model(config), make_optimizer(OptimizerConfig('adamw', 1e-2), 40)
  state, batch = new_state(jax.tree.map(jax.numpy.asarray, untrained(config)), tx), batch_of(config)
  losses = []
  for _ in range(40):
    state, metrics = train_step(state, batch, jax.random.key(1), model=model, tx=tx, ema_decay=0.9)
    losses.append(float(metrics['loss']))
  assert np.isfinite(losses).all()
  if name == 'mixture':  # nats have no zero
    assert np.mean(losses[-5:]) < losses[0] - 0.5
  else:
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
