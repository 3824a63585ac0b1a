"""What a run will take, without running it: parameters, operations of a step, memory of a device, and where each parameter lies."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec

from mt3_synth.audio.mel import samples_for
from mt3_synth.config import ModelConfig, NetworkConfig, to_json
from mt3_synth.models import operations
from mt3_synth.models.model import make_model
from mt3_synth.training.augmentation import longest
from mt3_synth.training.config import MeshConfig, TrainConfig
from mt3_synth.training.inversion import InverterLearner
from mt3_synth.training.optimizer import make_optimizer
from mt3_synth.training.partitioning import AXES, check_microbatches, mesh_shape
from mt3_synth.training.step import TrainState, layout, new_state
from mt3_synth.training.utilisation import operations as count_operations

FLOAT32 = 4  # bytes


class Plan(NamedTuple):
  """Of one configuration on a number of devices.  Bytes are of each device."""

  mesh: tuple[int, ...]
  parameters: int
  operations: float  # of a step on all devices together, every token row whole
  memory: dict[str, int]  # bytes
  parameter_places: list[tuple[str, tuple[int, ...], str]]  # name, shape, partition spec

  @property
  def memory_sum(self) -> int:
    return sum(self.memory.values())


def plan(config: TrainConfig, devices: int) -> Plan:
  """What a run takes.

  The state's memory is exact.  That of activations is counted from what each layer keeps for the backward pass, at the longest token rows,
  one microbatch at a time; the compiler keeps somewhat less, or its scratch space makes it somewhat more.
  Of an inverter activations are not counted; its operations are those of a step against its discriminators.

  Raises:
    InputError: the mesh is not made of so many devices, or the batch can't be shared among them.
  """
  check_microbatches(config, devices)
  shape = mesh_shape(config.mesh, devices)
  mesh: Any = AbstractMesh(shape, AXES)
  if isinstance(config.model, ModelConfig):
    model, tx = make_model(config.model), make_optimizer(config.optimizer, config.total_steps)
    state = jax.eval_shape(lambda key: new_state(model.init(key), tx), jax.random.key(0))
    placed, network = layout(model, tx, mesh), config.model.network
    tokens = network.note_length if network.conditioning == 'tokens' else 0
    work = config.batch_size * operations.training_step(network, tokens, with_film=config.model.decoder == 'diffusion')
    rows = config.batch_size // (shape[0] * shape[1] * config.microbatches)
    activations = {'activations': rows * activation_bytes(network, shape[2])}
  else:
    state, work = _inverter_step(config)
    placed, activations = jax.tree.map(lambda _: NamedSharding(mesh, PartitionSpec()), state), {}

  def held(tree, places) -> int:
    sizes = jax.tree.map(lambda x, place: math.prod(place.shard_shape(x.shape)) * x.dtype.itemsize, tree, places)
    return sum(jax.tree.leaves(sizes))

  parameters = held(state.params, placed.params)
  memory = {
    'parameters': parameters,
    'their average': held(state.ema, placed.ema),
    'optimiser': held(state.opt_state, placed.opt_state),
    'gradients': parameters * (2 if config.microbatches > 1 else 1),
  } | activations
  names = jax.tree_util.tree_leaves_with_path(placed.params)
  places = [
    ('/'.join(str(key.key) for key in path), x.shape, str(place.spec))
    for (path, place), x in zip(names, jax.tree.leaves(state.params), strict=True)
  ]
  return Plan(shape, sum(x.size for x in jax.tree.leaves(state.params)), work, memory, places)


def _inverter_step(config: TrainConfig) -> tuple[TrainState, float]:
  """The shapes of an inverter's state, and the operations of a step; traced on the devices here, which share no more than the rows."""
  learner, key = InverterLearner(dataclasses.replace(config, mesh=MeshConfig())), jax.random.key(0)
  model = learner.model
  state = jax.eval_shape(learner.init, key)
  samples = longest(samples_for(model.crop_frames, model.mel), model.augmentation)
  batch = {'audio': jax.ShapeDtypeStruct((config.batch_size, samples), jax.numpy.int16)}
  return state, count_operations(jax.make_jaxpr(learner.train_step)(state, batch, key).jaxpr)


def activation_bytes(network: NetworkConfig, model_parallel: int = 1) -> int:
  """What an example keeps for the backward pass, and what one layer works on; features split among `model_parallel` devices."""
  c, size = network, 2 if network.dtype == 'bfloat16' else FLOAT32
  joined, mlp, heads = (-(-each // model_parallel) for each in (c.num_heads * c.head_dim, c.mlp_dim, c.num_heads))
  tokens = c.note_length if c.conditioning == 'tokens' else 0
  fused = c.attention != 'plain' and c.dtype == 'bfloat16'

  def attention(keys):  # of a position: the logits and weights in float32, and the weights as they are used
    return 0 if fused else heads * keys * (2 * FLOAT32 + size)

  def layer(keys, crossed):  # of a position: all that a layer keeps
    cross = (2 * c.emb_dim + 2 * joined) * size + attention(crossed) if crossed else 0
    return (4 * c.emb_dim + 4 * joined + 4 * mlp) * size + attention(keys) + cross

  def kept(keys, crossed):
    if c.remat == 'full':
      return c.emb_dim * size
    if c.remat == 'minimal':
      return (3 * c.emb_dim + 3 * joined + 2 * mlp + (c.emb_dim + joined if crossed else 0)) * size
    return layer(keys, crossed)

  keys = tokens + c.context_frames
  stacks = (  # positions, layers, keys of the self-attention and of the cross-attention
    (tokens, c.encoder_layers, tokens, 0),
    (c.context_frames, c.encoder_layers, c.context_frames, 0),
    (c.target_frames, c.decoder_layers, c.target_frames, keys),
  )
  held = sum(positions * layers * kept(own, crossed) for positions, layers, own, crossed in stacks)
  keys_values = keys * 2 * joined * size * (c.decoder_layers if c.remat == 'none' and not c.scan_layers else 1)
  at_work = 0 if c.remat == 'none' else max(positions * layer(own, crossed) for positions, _, own, crossed in stacks)
  return held + keys_values + at_work


def describe(config: TrainConfig, devices: int) -> str:
  """All of it to be read: the resolved configuration as JSON, and the plan."""
  lines = [to_json(config).rstrip(), '']
  found = plan(config, devices)
  mesh = ' x '.join(f'{axis} {size}' for axis, size in zip(AXES, found.mesh, strict=True))
  lines += [f'{name:60} {str(shape):>16}  {spec}' for name, shape, spec in found.parameter_places]
  gigabytes = ', '.join(f'{name} {size / 1e9:.2f}' for name, size in found.memory.items())
  counted = 'matrix products, whole token rows' if isinstance(config.model, ModelConfig) else 'matrix products and convolutions'
  uncounted = '' if 'activations' in found.memory else '; and activations, which are not counted'
  lines += [
    '',
    f'devices: {devices} ({mesh}); microbatches: {config.microbatches} of {config.batch_size // config.microbatches} examples',
    f'parameters: {found.parameters:,}',
    f'operations: {found.operations:.4g} a step, {found.operations / config.batch_size:.4g} an example ({counted})',
    f'memory of a device: about {found.memory_sum / 1e9:.2f} GB ({gigabytes}{uncounted})',
  ]
  return '\n'.join(lines)
