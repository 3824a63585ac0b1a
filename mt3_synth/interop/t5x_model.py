"""Our models as T5X trains, evaluates and runs them; needs T5X (docs/t5x.md).  Named by the gin files under gin_configs/t5x."""

from collections.abc import Mapping
from typing import Any

import clu.metrics
import flax.linen as nn
import jax
import jax.numpy as jnp
from etils import epath
from flax import traverse_util
from flax.core import FrozenDict, freeze
from flax.linen.partitioning import AxisMetadata
from t5x import gin_utils, metrics, models  # pyright: ignore  # of no registry; a neighbour here has its name

from mt3_synth.audio.mel import unscale
from mt3_synth.config import ModelConfig, from_json, to_json
from mt3_synth.data.tasks.batches import trainer_batch
from mt3_synth.data.tasks.converters import converter_class
from mt3_synth.data.tasks.tasks import output_features
from mt3_synth.errors import InputError
from mt3_synth.interop import names
from mt3_synth.models.batch import to_model_batch
from mt3_synth.models.model import make_model
from mt3_synth.models.pretrained import parameter_shapes

Batch = Mapping[str, jax.Array]  # what a converter gives, batched
Metrics = dict[str, Any]


class SynthesisModel(models.BaseTransformerModel):
  """A `Model` of ours behind the methods that T5X calls.

  Its parameters have the published names, so published checkpoints can be trained on, and what T5X saves imports back.
  """

  def __init__(self, config: ModelConfig, optimizer_def: Any = None):
    """A model.

    Args:
      config: what it is; the tasks must have been made for the same one.
      optimizer_def: of T5X, for training.

    Raises:
      InputError: a value of `config` is of another type than its field, or it is of aligned notes, which SeqIO tasks do not carry.
    """
    self.config = _plain(config)
    if self.config.network.conditioning != 'tokens':
      raise InputError(f"NetworkConfig.conditioning is {self.config.network.conditioning!r}; T5X trains models of 'tokens' alone")
    self.model = make_model(self.config)
    self._ours = names.renamed(parameter_shapes(self.config), names.to_t5x(self.config))  # theirs, with dots -> ours, with slashes
    self.FEATURE_CONVERTER_CLS = converter_class(self.config)
    features = output_features(self.config)
    super().__init__(self.model.network, features['inputs'].vocabulary, features['targets'].vocabulary, optimizer_def)

  def get_initial_variables(
    self, rng: jax.Array, input_shapes: Mapping[str, tuple[int, ...]], input_types: Mapping[str, Any] | None = None
  ) -> FrozenDict:
    """`params`, and in `params_axes` the logical names of their axes.

    Raises:
      InputError: a feature is of another length than the model was made for.
    """
    del input_types
    self._check_lengths(input_shapes)
    boxed = self._renamed(self.model.init(_key(rng)))
    axes = {(*path[:-1], f'{path[-1]}_axes'): AxisMetadata(box.names) for path, box in boxed.items()}
    params = {path: nn.meta.unbox(box) for path, box in boxed.items()}
    return freeze({'params': traverse_util.unflatten_dict(params), 'params_axes': traverse_util.unflatten_dict(axes)})

  def loss_fn(self, params: Any, batch: Batch, dropout_rng: jax.Array | None) -> tuple[jax.Array, Metrics]:
    """The mean that training makes small; without a key, that of a model in use."""
    if dropout_rng is None:
      return self.eval_fn(params, batch)
    model_batch = self._model_batch(batch)
    loss, _ = self.model.loss(self._params(params), model_batch, _key(dropout_rng))
    return loss, _metrics(loss, model_batch)

  def eval_fn(self, params: Any, batch: Batch) -> tuple[jax.Array, Metrics]:
    """The loss of a model in use, with the same noise whenever the same batch is evaluated."""
    model_batch = self._model_batch(batch)
    loss = self.model.evaluation_loss(self._params(params), model_batch, _key_of(batch))['loss']
    return loss, _metrics(loss, model_batch)

  def predict_batch_with_aux(self, params: Any, batch: Batch, rng: jax.Array | None = None) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Log-mels [B, T, D] as the tasks' targets are, drawn by the sampler of the configuration, and nothing else."""
    conditions = self._model_batch(batch)['conditions']
    key = _key_of(batch) if rng is None else _key(rng)
    return unscale(self.model.predict(self._params(params), conditions, key, self.config.sampler), self.config.mel), {}

  def score_batch(self, params: Any, batch: Batch, return_intermediates: bool = False) -> jax.Array:
    """How well each example is accounted for: its evaluation loss, negative, [B].

    Raises:
      InputError: intermediates are asked for.
    """
    if return_intermediates:
      raise InputError('score_batch keeps no intermediates; call it without return_intermediates')
    ours, model_batch = self._params(params), self._model_batch(batch)
    keys = jax.random.split(_key_of(batch), len(model_batch['targets']))
    loss = lambda example, key: self.model.evaluation_loss(ours, jax.tree.map(lambda x: x[None], example), key)['loss']
    return -jax.vmap(loss)(model_batch, keys)

  def _compute_logits(self, params: Any, batch: Batch, dropout_rng: jax.Array | None = None) -> jax.Array:
    raise NotImplementedError('spectrograms have no logits')

  def _model_batch(self, batch: Batch) -> dict[str, Any]:
    return to_model_batch(trainer_batch(batch), self.model)

  def _params(self, params: Any) -> Any:
    """T5X's parameters as ours."""
    flat = traverse_util.flatten_dict(params, sep='.')
    return traverse_util.unflatten_dict({ours: flat[theirs] for theirs, ours in self._ours.items()}, sep='/')

  def _renamed(self, params: Any) -> dict[tuple[str, ...], Any]:
    """Ours by the paths that T5X gives them."""
    flat = traverse_util.flatten_dict(params, sep='/')
    return {tuple(theirs.split('.')): flat[ours] for theirs, ours in self._ours.items()}

  def _check_lengths(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
    network = self.config.network
    exact = {'decoder_target_tokens': network.target_frames}
    if network.context_frames:
      exact['encoder_continuous_inputs'] = network.context_frames
    for name, length in exact.items():
      if shapes[name][1] != length:
        raise InputError(f'TASK_FEATURE_LENGTHS gives {name} of {shapes[name][1]} frames; the model is of {length}')
    if shapes['encoder_input_tokens'][1] > network.note_length:
      raise InputError(
        f'TASK_FEATURE_LENGTHS gives inputs of {shapes["encoder_input_tokens"][1]} tokens; the model has room for {network.note_length}'
      )


def write_config(model_dir: str, summary_writer: Any, step: int, *, config: ModelConfig) -> None:
  """Writes config.gin as T5X does, and beside it the model's config.json, which `mt3-synth import` reads.

  Args:
    model_dir, summary_writer, step: as T5X's own `summarize_gin_config` takes them.
    config: of the model.
  """
  gin_utils.summarize_gin_config(model_dir, summary_writer, step)
  if jax.process_index() == 0:
    (epath.Path(model_dir) / 'config.json').write_text(to_json(_plain(config)))


def _plain(config: ModelConfig) -> ModelConfig:
  """Of gin's subclasses nothing is left, and each value's type has been checked."""
  return from_json(ModelConfig, to_json(config), 'gin')


def _key(rng: jax.Array) -> jax.Array:
  """T5X's keys are bare integers; of ours, the number of axes tells whether they are several."""
  return jax.random.wrap_key_data(rng) if jnp.issubdtype(rng.dtype, jnp.integer) else rng


def _key_of(batch: Batch) -> jax.Array:
  """A key that follows from the notes, so that evaluations can be compared and batches differ."""
  return jax.random.fold_in(jax.random.key(0), batch['encoder_input_tokens'].sum())


def _metrics(loss: jax.Array, batch: dict[str, Any]) -> Metrics:
  mask = batch['targets_mask']
  average: Any = clu.metrics.Average
  return {
    'loss': average(total=loss * mask.sum(), count=mask.sum()),  # each frame counts alike, in short batches too
    'timing/steps_per_second': metrics.StepsPerTime.from_model_output(),
    'timing/seqs_per_second': metrics.TimeRate.from_model_output(numerator=len(mask)),
    'timing/target_frames_per_second': metrics.TimeRate.from_model_output(numerator=mask.sum()),
  }
