"""Our models under T5X.  docs/t5x.md says how T5X is installed; without it these tests are skipped."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import traverse_util
from numpy.testing import assert_allclose

from mt3_synth.audio.mel import unscale
from mt3_synth.config import ModelConfig
from mt3_synth.errors import InputError
from mt3_synth.interop import names
from mt3_synth.interop.loading import load_model
from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import make_model
from mt3_synth.models.pretrained import parameter_shapes
from mt3_synth.training.config import OptimizerConfig
from mt3_synth.training.optimizer import make_optimizer
from tests.data.prepared import write_prepared
from tests.data.tiny import tiny_model, tiny_song, tiny_variant, untrained

pytest.importorskip('t5x.gin_utils', reason='T5X is not importable; docs/t5x.md says how it is installed', exc_type=ImportError)

import seqio  # noqa: E402
from t5x import adafactor, partitioning, train_state  # noqa: E402  # pyright: ignore[reportMissingImports]

from mt3_synth.data.tasks.batches import trainer_batch  # noqa: E402
from mt3_synth.data.tasks.converters import converter_class, feature_lengths  # noqa: E402
from mt3_synth.data.tasks.tasks import synthesis, synthesis_with_context  # noqa: E402
from mt3_synth.interop.t5x_model import SynthesisModel  # noqa: E402

ROOT = Path(__file__).parents[2]
VARIANTS = ['context', 'basic', 'ar', 'ar_context', 'mixture']
KEY = jax.random.key(3)
BATCH = 3


def features(config: ModelConfig, batch: int = BATCH) -> dict[str, Any]:
  """What the converter gives; the last example has fewer frames."""
  network, rng = config.network, np.random.default_rng(0)
  frames = np.full(batch, network.target_frames)
  frames[-1] -= 5
  mels = lambda count: rng.normal(-3, 2, (batch, count, network.mel_bands)).astype(np.float32)
  found = {
    'encoder_input_tokens': rng.integers(1, 200, (batch, network.note_length)).astype(np.int32),
    'decoder_target_tokens': mels(network.target_frames),
    'decoder_target_mask': np.arange(network.target_frames) < frames[:, None],
  }
  if network.context_frames:
    found['encoder_continuous_inputs'] = mels(network.context_frames)
    found['encoder_continuous_mask'] = np.ones((batch, network.context_frames), bool)
  return found


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
  return {name: x.shape for name, x in features(config).items()}


def theirs(config: ModelConfig, params: Any) -> Any:
  """Our parameters as T5X names them."""
  return traverse_util.unflatten_dict({names.to_t5x(config)(name): x for name, x in flat(params, '/').items()}, sep='.')


def flat(tree: Any, sep: str = '.') -> dict[str, Any]:
  return dict(traverse_util.flatten_dict(tree, sep=sep))


@pytest.mark.parametrize('variant', VARIANTS)
def test_every_parameter_has_its_published_name_and_a_rule_for_each_axis(variant):
  config = tiny_variant(variant)
  model = SynthesisModel(config, adafactor.Adafactor())

  def state(rng):
    return train_state.FlaxOptimTrainState.create(model.optimizer_def, model.get_initial_variables(rng, shapes(config)))

  abstract = jax.eval_shape(state, jax.random.PRNGKey(0))
  params = flat(abstract.params)
  assert {name: x.shape for name, x in params.items()} == {names.to_t5x(config)(name): x for name, x in parameter_shapes(config).items()}
  axes = flat(partitioning.PjitPartitioner(num_partitions=1).get_mesh_axes(abstract).params)
  assert {name: len(spec) for name, spec in axes.items()} == {name: x.ndim for name, x in params.items()}


@pytest.mark.parametrize('variant', ['context', 'ar'])
def test_losses_and_predictions_are_ours(variant):
  config = tiny_variant(variant)
  model, ours, params, batch = SynthesisModel(config), make_model(config), untrained(config), features(config)
  renamed, expected = theirs(config, params), to_model_batch(trainer_batch(batch), make_model(config))
  loss, metrics = jax.jit(model.loss_fn)(renamed, batch, jax.random.key_data(KEY))
  assert_allclose(loss, ours.loss(params, expected, KEY)[0], rtol=1e-5)
  assert_allclose(metrics['loss'].compute(), loss, rtol=1e-6)
  drawn = model.predict_batch(renamed, batch, jax.random.key_data(KEY))
  assert_allclose(drawn, unscale(ours.predict(params, expected['conditions'], KEY, config.sampler), config.mel), atol=1e-3)


def test_an_evaluation_repeats_itself_and_differs_between_batches():
  config = tiny_variant('basic')
  model, params, batch = SynthesisModel(config), theirs(config, untrained(config)), features(config)
  evaluate = jax.jit(lambda batch: model.eval_fn(params, batch)[0])
  assert evaluate(batch) == evaluate(batch) == model.loss_fn(params, batch, None)[0]
  other = batch | {'encoder_input_tokens': np.where(batch['encoder_input_tokens'] == 7, 8, 7)}
  assert evaluate(batch) != evaluate(other)


def test_scores_are_losses_of_single_examples():
  config = tiny_variant('ar')
  model, params, batch = SynthesisModel(config), theirs(config, untrained(config)), features(config)
  scores = model.score_batch(params, batch)
  alone = [-model.eval_fn(params, {name: x[n : n + 1] for name, x in batch.items()})[0] for n in range(BATCH)]
  assert_allclose(scores, alone, rtol=1e-5)
  with pytest.raises(InputError, match='keeps no intermediates'):
    model.score_batch(params, batch, return_intermediates=True)


@pytest.mark.parametrize(
  ('feature', 'length', 'says'),
  [
    ('decoder_target_tokens', 17, 'decoder_target_tokens of 17 frames; the model is of 16'),
    ('encoder_continuous_inputs', 9, 'encoder_continuous_inputs of 9 frames; the model is of 8'),
    ('encoder_input_tokens', 65, 'inputs of 65 tokens; the model has room for 64'),
  ],
)
def test_other_lengths_than_the_models_are_refused(feature, length, says):
  config = tiny_variant('context')
  asked = shapes(config)
  with pytest.raises(InputError, match=says):
    SynthesisModel(config).get_initial_variables(KEY, asked | {feature: (BATCH, length, *asked[feature][2:])})


def test_what_t5x_can_not_train_is_refused():
  with pytest.raises(InputError, match="conditioning is 'aligned'; T5X trains models of 'tokens' alone"):
    SynthesisModel(tiny_model('aligned'))
  with pytest.raises(InputError, match='gin: field network.emb_dim is 1.5, expected int'):
    SynthesisModel(tiny_model(emb_dim=1.5))


@pytest.mark.parametrize('decay', [0.0, 0.1])
def test_three_steps_of_adafactor_are_t5xs(decay):
  rng = np.random.default_rng(0)
  sizes = {'wide': (130, 144), 'small': (3, 5), 'long': (7, 300)}  # the first is factored
  draw = lambda scale: {name: {'kernel': rng.normal(scale=scale, size=size).astype(np.float32)} for name, size in sizes.items()}
  params = draw(1.0)
  their = adafactor.Adafactor(decay_rate=0.8, weight_decay_rate=decay or None).create(params)
  tx = make_optimizer(OptimizerConfig('adafactor', 1e-2, weight_decay=decay), 100)
  state = tx.init(params)
  for scale in (1.0, 1e-3, 10.0):
    grads = draw(scale)
    their = their.apply_gradient(grads, learning_rate=1e-2)
    updates, state = tx.update(grads, state, params)
    params = jax.tree.map(np.add, params, updates)
    jax.tree.map(lambda one, other: assert_allclose(one, other, atol=1e-5, rtol=0), params, dict(their.target))


@pytest.fixture(scope='module')
def corpus(tmp_path_factory) -> Path:
  root = tmp_path_factory.mktemp('data')
  songs = {'train': [tiny_song(60.0, 'a', 1), tiny_song(30.0, 'b', 2)], 'validation': [tiny_song(6.0, 'c', 3)]}
  write_prepared(root / 'small' / '1.0.0', songs, corpus='small')
  return root


def t5x(script: str, model: str, corpus: Path, **bindings: Any) -> str:
  """Runs one of T5X's programs on a tiny model, and gives its log."""
  bindings = {
    'CORPORA': ('small',),
    'DATA_DIR': str(corpus),
    'NetworkConfig.conditioning': 'tokens',
    'NetworkConfig.note_length': 256,
    'SamplerConfig.steps': 2,
  } | bindings
  files = ('t5x/configurables', f'models/{model}/tiny', f't5x/{script}')
  command = [sys.executable, '-m', f't5x.{script}', '--alsologtostderr', *(f'--gin_file=gin_configs/{file}.gin' for file in files)]
  command += [f'--gin.{name}={value!r}' for name, value in bindings.items()]
  environment = os.environ | {'JAX_PLATFORMS': 'cpu'}
  run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
  assert run.returncode == 0, run.stderr[-3000:]
  return run.stderr


def predicted(config: ModelConfig, params: Any, folder: Path) -> list[np.ndarray]:
  """What our model plays of the held-out song, with the keys that T5X gives batches of two; the first example fills up the last one."""
  make = synthesis_with_context if config.network.context_frames else synthesis
  task, converter = make('held_out', folder, config, 'eval'), converter_class(config)()
  data = seqio.get_dataset(task, feature_lengths(config), converter, 'validation', shuffle=False)
  rows, model = list(data.as_numpy_iterator()), make_model(config)
  predict = jax.jit(lambda conditions, key: unscale(model.predict(params, conditions, key, config.sampler), config.mel))
  key, mels = jax.random.fold_in(jax.random.key(0), 0), []
  for pair in ([rows[0], rows[1]], [rows[2], rows[0]]):
    step_key, key = jax.random.split(key)
    batch = to_model_batch(trainer_batch(jax.tree.map(lambda *x: np.stack(x), *pair)), model)
    mels += list(predict(batch['conditions'], step_key))
  return mels[: len(rows)]


@pytest.mark.slow
@pytest.mark.parametrize('model', ['diffusion/context', 'diffusion/basic', 'ar/deterministic'])
def test_t5x_trains_evaluates_and_plays_it_and_its_checkpoint_imports_back(corpus, tmp_path, model):
  folder = tmp_path / 'run'
  steps = {'TRAIN_STEPS': 20, 'BATCH_SIZE': 4, 'train.stats_period': 5}
  log = t5x('train', model, corpus, MODEL_DIR=str(folder), **steps)
  losses = [float(x) for x in re.findall(r'collection=train .*?\bloss=([\d.]+)', log)]
  assert len(losses) == 4
  assert losses[-1] < losses[0]

  config, params, _ = load_model(folder)
  assert (config.network.note_length, config.network.conditioning, config.sampler.steps) == (256, 'tokens', 2)
  bindings = {'CHECKPOINT_PATH': str(folder / 'checkpoint_20'), 'DatasetConfig.batch_size': 2}
  t5x('infer', model, corpus, INFER_OUTPUT_DIR=str(tmp_path / 'infer'), **bindings)
  lines = next((tmp_path / 'infer').glob('*-predict.jsonl-00000-of-00001')).read_text().splitlines()
  played = [json.loads(line) for line in lines]
  assert [(each['inputs']['song_id'], each['inputs']['segment']) for each in played] == [('c', 0), ('c', 1), ('c', 2)]
  assert_allclose([each['prediction'] for each in played], predicted(config, params, corpus / 'small'), atol=1e-3)

  t5x('eval', model, corpus, EVAL_OUTPUT_DIR=str(tmp_path / 'eval'), **bindings)
  (metrics,) = (tmp_path / 'eval' / 'inference_eval').glob('*-metrics.jsonl')
  assert 0 < json.loads(metrics.read_text())['mel_l1'] < 20
