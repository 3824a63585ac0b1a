"""The train verb: what a run writes, and that stopping it changes nothing."""

import dataclasses
import json
import os
import shutil
import signal
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import mt3_synth.train
from mt3_synth import cli
from mt3_synth.config import ModelConfig, from_json
from mt3_synth.errors import InputError, InputWarning, Stopped
from mt3_synth.train import train
from mt3_synth.training import spectrogram
from mt3_synth.training.config import OptimizerConfig, TrainConfig
from mt3_synth.training.learner import Examples
from tests.data.tiny import tiny_model


def lines(folder):
  return [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]


def without_times(folder):
  return [{name: value for name, value in line.items() if 'second' not in name} for line in lines(folder)]


def steps(folder):
  return sorted(path.name for path in (folder / 'checkpoints').iterdir())


def assert_same(a, b):
  jax.tree.map(assert_array_equal, jax.device_get(a), jax.device_get(b))


@pytest.fixture
def copy(finished, tmp_path):
  """A copy of the run to damage or go on with: (its configuration, its folder)."""
  folder = tmp_path / 'copy'
  shutil.copytree(finished.folder, folder)
  return dataclasses.replace(finished.config, model_dir=str(folder)), folder


@pytest.fixture
def quick(monkeypatch, config, tmp_path):
  """A loop whose steps only count; the loss is the step's number."""

  def count(state, batch, key, **_):
    after = state.replace(step=state.step + 1)
    return after, {'loss': after.step.astype(float)}

  monkeypatch.setattr(spectrogram, 'train_step', count)
  monkeypatch.setattr(spectrogram, 'eval_step', lambda params, batch, key, **_: {'loss': 1.0})
  return lambda **changes: train(dataclasses.replace(config, **({'model_dir': str(tmp_path / 'run')} | changes)))


def test_a_run_writes_its_configuration_metrics_and_checkpoints(finished):
  folder = finished.folder
  assert from_json(ModelConfig, (folder / 'config.json').read_text()) == finished.config.model
  assert from_json(TrainConfig, (folder / 'train_config.json').read_text()) == finished.config
  logged = lines(folder)
  assert [line['step'] for line in logged if 'train/loss' in line] == [2, 4, 6]
  assert [line['step'] for line in logged if 'eval/loss' in line] == [3, 6]
  values = {name: value for line in logged for name, value in line.items() if name not in ('step', 'seconds')}
  assert np.isfinite(list(values.values())).all()
  assert all(values[f'train/{name}'] > 0 for name in ('loss', 'grad_norm', 'update_norm', 'learning_rate', 'examples_per_second'))
  assert values['train/skipped_updates'] == 0
  assert any(name.startswith('train/loss_at_time/') for name in values)
  assert list(folder.glob('events.out.tfevents*'))
  assert steps(folder) == ['3', '6']
  assert int(finished.state.step) == 6


def test_the_parameters_move_but_not_the_position_tables(finished):
  first, last = finished.params[0], finished.params[-1]
  for path, before in jax.tree_util.tree_leaves_with_path(first):
    after = last
    for key in path:
      after = after[key.key]
    moved = not np.array_equal(before, after)
    assert moved != any(key.key == 'Embed_0' for key in path), path


def test_the_average_follows_the_parameters(finished):
  average = finished.params[0]
  for step, params in enumerate(finished.params[1:]):
    decay = min(finished.config.ema_decay, (1 + step) / (10 + step))
    average = jax.tree.map(lambda old, new, d=decay: d * old + (1 - d) * new, average, params)
  jax.tree.map(lambda a, b: assert_allclose(a, b, atol=1e-6), average, finished.state.ema)


def test_an_interrupted_run_goes_on_bit_for_bit(finished, tmp_path, monkeypatch):
  config = dataclasses.replace(finished.config, model_dir=str(tmp_path / 'run'))
  step, calls = spectrogram.train_step, []

  def interrupted(*args, **kwargs):
    calls.append(1)
    if len(calls) == 5:
      raise KeyboardInterrupt
    return step(*args, **kwargs)

  monkeypatch.setattr(spectrogram, 'train_step', interrupted)
  with pytest.raises(KeyboardInterrupt):
    train(config)
  assert steps(tmp_path / 'run') == ['3']
  assert_same(train(config), finished.state)
  assert len(calls) == 5 + 3
  assert steps(tmp_path / 'run') == ['3', '6']
  assert without_times(tmp_path / 'run') == without_times(finished.folder)


def test_a_finished_run_is_not_trained_again(finished, copy):
  config, folder = copy
  logged = lines(folder)
  assert_same(train(config), finished.state)
  assert lines(folder) == logged


def test_a_half_written_checkpoint_is_passed_over(finished, copy):
  config, folder = copy
  begun = folder / 'checkpoints' / '9.orbax-checkpoint-tmp'
  shutil.copytree(folder / 'checkpoints' / '6', begun)
  shutil.rmtree(begun / 'state')
  assert_same(train(config), finished.state)


def test_the_checkpoint_before_a_damaged_one_is_used(finished, copy):
  config, folder = copy
  for file in (folder / 'checkpoints' / '6' / 'state').glob('ocdbt.process_0/d/*'):
    file.unlink()
  with pytest.warns(InputWarning, match='checkpoints/6: damaged .*moved to .*damaged/6, and the one before it is taken'):
    state = train(config)
  assert_same(state, finished.state)
  assert steps(folder) == ['3', '6']
  assert (folder / 'damaged' / '6').is_dir()
  assert without_times(folder) == without_times(finished.folder)


def test_if_all_checkpoints_are_damaged_it_says_so(copy):
  config, folder = copy
  shutil.rmtree(folder / 'checkpoints' / '6')
  shutil.rmtree(folder / 'checkpoints' / '3' / 'state')
  with pytest.raises(InputError, match='checkpoints/3: damaged .*none before it is whole') as error:
    train(config)
  assert '\n' not in str(error.value)


def test_a_torn_line_of_metrics_and_those_of_steps_that_are_lost_are_forgotten(finished, copy):
  config, folder = copy
  shutil.rmtree(folder / 'checkpoints' / '6')
  with (folder / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 7, "train/lo')
  assert_same(train(config), finished.state)
  assert without_times(folder) == without_times(finished.folder)


def test_a_signal_saves_and_the_same_command_goes_on(finished, tmp_path, monkeypatch, capsys):
  config = dataclasses.replace(finished.config, model_dir=str(tmp_path / 'run'))
  step, calls = spectrogram.train_step, []

  def interrupted(*args, **kwargs):
    calls.append(1)
    if len(calls) == 4:
      os.kill(os.getpid(), signal.SIGTERM)
    return step(*args, **kwargs)

  monkeypatch.setattr(spectrogram, 'train_step', interrupted)
  with pytest.raises(Stopped, match='stopped after step 4 of 6, saved in .*; the same command goes on'):
    train(config)
  assert 'SIGTERM: saving after this step' in capsys.readouterr().err
  assert steps(tmp_path / 'run') == ['3', '4']
  assert_same(train(config), finished.state)
  assert without_times(tmp_path / 'run') == without_times(finished.folder)
  assert len(calls) == 6


def test_a_run_that_is_stopped_before_its_first_step_claims_nothing(quick, tmp_path, monkeypatch):
  init = spectrogram.SpectrogramLearner.init
  monkeypatch.setattr(spectrogram.SpectrogramLearner, 'init', lambda self, key: os.kill(os.getpid(), signal.SIGTERM) or init(self, key))
  with pytest.raises(Stopped, match='stopped after step 0 of 6, with nothing to save yet'):
    quick()
  assert steps(tmp_path / 'run') == []


def test_the_verb_ends_with_75_when_it_was_stopped(monkeypatch, capsys):
  def stopped(config):
    raise Stopped('stopped after step 4 of 6')

  monkeypatch.setattr(mt3_synth.train, 'train', stopped)
  assert cli.main(['train', '--gin_file', 'gin_configs/demo.gin', "--gin.MODEL_DIR='runs/a'"]) == 75
  assert 'stopped after step 4 of 6' in capsys.readouterr().err


def test_a_branch_goes_on_where_its_run_was(finished, tmp_path):
  changed = dataclasses.replace(finished.config, model_dir=str(tmp_path / 'branch'), resume_from=str(finished.folder / 'checkpoints' / '3'))
  assert_same(train(changed), finished.state)  # nothing was changed, but where
  assert steps(finished.folder) == ['3', '6']
  assert steps(tmp_path / 'branch') == ['6']


def test_a_new_run_starts_with_the_parameters_of_a_model(finished, quick, tmp_path):
  state = quick(init_from=str(finished.folder), total_steps=1)
  assert_same(state.params, finished.state.ema)
  assert_same(state.ema, finished.state.ema)
  assert int(state.step) == 1
  assert all((x == 0).all() for x in jax.tree.leaves(state.opt_state))
  take = partial(mt3_synth.train._with_parameters_of, str(finished.folder), fresh=state)
  with pytest.raises(InputError, match='parameter .* has shape .*, TrainConfig.model expects'):
    take(tiny_model('aligned', emb_dim=24))
  notes = dataclasses.replace(finished.config.model.notes, max_shift_steps=500)
  with pytest.warns(InputWarning, match='its model was trained on other notes'):
    take(dataclasses.replace(finished.config.model, notes=notes))
  with pytest.raises(InputError, match='init_from and resume_from are both set'):
    quick(init_from='a', resume_from='b')


def test_a_run_that_starts_from_another_goes_on_by_the_same_command(finished, quick, tmp_path):
  quick(init_from=str(finished.folder), total_steps=1)
  assert int(quick(init_from='gone', total_steps=2).step) == 2


def test_a_run_stops_at_a_loss_that_is_no_number_and_saves_nothing_of_it(quick, tmp_path, monkeypatch):
  def count(state, batch, key, **_):
    after = state.replace(step=state.step + 1)
    return after, {'loss': jnp.where(after.step == 5, jnp.nan, 1.0)}

  monkeypatch.setattr(spectrogram, 'train_step', count)
  with pytest.raises(InputError, match='step 5: loss nan, .*the last good checkpoint is .*/run/checkpoints/4'):
    quick(save_every=2, keep_best=0)
  assert steps(tmp_path / 'run') == ['2', '4']
  assert int(quick(save_every=2, on_fault='skip').step) == 6


def test_each_corpus_has_a_held_out_loss(quick, corpus, tmp_path):
  quick(corpora=(str(corpus), 'embedded'), total_steps=1, eval_every=1)
  (line,) = [line for line in lines(tmp_path / 'run') if 'eval/loss' in line]
  assert set(line) == {'step', 'seconds', 'eval/loss', f'eval/{corpus}/loss', 'eval/embedded/loss'}


def test_examples_are_pictured_now_and_then(quick, tmp_path, monkeypatch):
  shown = []
  monkeypatch.setattr(spectrogram.SpectrogramLearner, 'examples', lambda self, state: shown.append(int(state.step)) or Examples())
  quick(total_steps=5, examples_every=2)
  assert shown == [2, 4, 5]


def test_a_window_of_steps_is_profiled(quick, tmp_path):
  quick(total_steps=4, profile=(2, 3))
  assert list((tmp_path / 'run' / 'profile').rglob('*.xplane.pb'))
  with pytest.raises(InputError, match='profile is .3,., expected the first and the last step'):
    quick(profile=(3,))


def test_the_verb_takes_the_window_to_profile(monkeypatch, capsys):
  given = []
  monkeypatch.setattr(mt3_synth.train, 'train', given.append)
  command = ['train', '--gin_file', 'gin_configs/demo.gin', "--gin.MODEL_DIR='runs/a'", '--profile']
  assert cli.main([*command, '3:5']) == 0
  assert given[0].profile == (3, 5)
  assert cli.main([*command, 'all']) == 2
  assert "--profile is 'all', expected the first and the last step" in capsys.readouterr().err


def test_another_model_in_the_folder_is_refused_and_left_alone(copy):
  config, folder = copy
  before = (folder / 'config.json').read_text()
  with pytest.raises(InputError, match='holds a run of another model'):
    train(dataclasses.replace(config, model=tiny_model('tokens')))
  assert (folder / 'config.json').read_text() == before


def test_a_run_from_before_a_setting_existed_goes_on(copy):
  config, folder = copy
  before = json.loads((folder / 'config.json').read_text())
  del before['decoder'], before['network']['mask_padding']
  (folder / 'config.json').write_text(json.dumps(before))
  assert int(train(config).step) == config.total_steps


def test_another_optimiser_is_refused(copy):
  config, _ = copy
  with pytest.raises(InputError, match='of another optimiser'):
    train(dataclasses.replace(config, optimizer=OptimizerConfig('adafactor')))


def test_a_folder_that_cannot_be_made_is_named(config, tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(InputError, match='file/run: .*give a MODEL_DIR that can be written'):
    train(dataclasses.replace(config, model_dir=str(tmp_path / 'file' / 'run')))


@pytest.mark.parametrize('name', ['total_steps', 'batch_size', 'log_every', 'eval_every', 'save_every', 'keep'])
def test_counts_below_one_are_refused(config, tmp_path, name):
  with pytest.raises(InputError, match=f'{name} is 0, expected at least 1'):
    train(dataclasses.replace(config, model_dir=str(tmp_path / 'run'), **{name: 0}))
  assert not (tmp_path / 'run').exists()


def test_the_loop_keeps_its_rhythm(quick, tmp_path):
  quick(total_steps=7, save_every=2, keep=2, log_every=3, eval_every=5)
  assert steps(tmp_path / 'run') == ['6', '7']
  logged = lines(tmp_path / 'run')
  assert [(line['step'], line['train/loss']) for line in logged if 'train/loss' in line] == [(3, 2.0), (6, 5.0)]
  assert [line['step'] for line in logged if 'eval/loss' in line] == [5, 7]


def test_without_evaluation_no_validation_split_is_needed(quick, corpus, tmp_path):
  shutil.copytree(corpus / 'train', tmp_path / 'corpus' / 'train')
  quick(corpora=(str(tmp_path / 'corpus'),), eval_batches=0)
  assert not [line for line in lines(tmp_path / 'run') if 'eval/loss' in line]
  with pytest.raises(InputError, match='no tracks under validation'):
    quick(corpora=(str(tmp_path / 'corpus'),))


def test_the_verb_needs_a_gin_file(capsys):
  assert cli.main(['train']) == 2
  assert 'give at least one --gin_file' in capsys.readouterr().err


def test_the_verb_hands_over_what_gin_says(monkeypatch):
  given = []
  monkeypatch.setattr(mt3_synth.train, 'train', given.append)
  assert cli.main(['train', '--gin_file', 'gin_configs/demo.gin', "--gin.MODEL_DIR='runs/a'", '--gin.TRAIN_STEPS=3']) == 0
  assert (given[0].model_dir, given[0].total_steps) == ('runs/a', 3)
