"""Which part of each array lies on which device: a mesh, a table of rules, and nothing else.

Parameters carry the logical names of their axes (`flax.linen.with_logical_partitioning`), activations are named where layers begin; the
rules map names to axes of the mesh, and the compiler derives all communication.  One device is a mesh of 1 x 1 x 1, several hosts are one
mesh of all their devices: there is no other code for them.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mt3_synth.errors import InputError
from mt3_synth.models.stack import PLACE
from mt3_synth.training.config import MeshConfig, TrainConfig

AXES = ('data', 'fsdp', 'model')
RULES: Mapping[str, str | tuple[str, ...] | None] = {
  'batch': ('data', 'fsdp'),  # examples
  'embed': 'fsdp',  # of parameters; of activations no more is left, since the batch has it
  'mlp': 'model',
  'joined_kv': 'model',  # attention's heads
  'vocab': 'model',  # rows of tables, and inputs that are no embeddings
  'length': None,
}


def make_mesh(config: MeshConfig) -> Mesh:
  """The mesh of all devices of all processes.  Raises InputError as `mesh_shape` does."""
  devices = jax.devices()
  return Mesh(np.asarray(devices).reshape(mesh_shape(config, len(devices))), AXES)


def mesh_shape(config: MeshConfig, devices: int) -> tuple[int, int, int]:
  """How many devices there are along each axis.

  Raises:
    InputError: the axes do not multiply to the number of devices.
  """
  sizes = config.data, config.fsdp, config.model
  given = math.prod(size for size in sizes if size)
  if min(sizes) < 0 or 0 in sizes[1:] or devices % given or (config.data and given != devices):
    shape = ' x '.join(map(str, sizes))
    raise InputError(f'MeshConfig data x fsdp x model is {shape}, which {devices} devices do not make; data = 0 takes what is left')
  return config.data or devices // given, config.fsdp, config.model


def spec_of(names: tuple[str | None, ...] | None, shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
  """Where an array with axes of these names lies.  An axis that its rule's part of the mesh does not divide is not split."""
  taken, parts = set(), []
  for name, size in zip(names or [None] * len(shape), shape, strict=True):
    rule = RULES[name] if name else None
    axes = [axis for axis in ((rule,) if isinstance(rule, str) else rule or ()) if axis not in taken]
    split = math.prod(mesh.shape[axis] for axis in axes)
    if size % split:
      axes = []
    taken.update(axes)
    parts.append(axes[0] if len(axes) == 1 else tuple(axes) or None)
  return PartitionSpec(*parts)


def shardings(boxed: Any, mesh: Mesh) -> Any:
  """Where each array of a tree lies: by the names its box has; what has none is on all devices."""

  def place(x):
    box = isinstance(x, nn.Partitioned)
    return NamedSharding(mesh, spec_of(x.names if box else None, nn.meta.unbox(x).shape, mesh))

  return jax.tree.map(place, boxed, is_leaf=lambda x: isinstance(x, nn.Partitioned))


@contextlib.contextmanager
def activations_on(mesh: Mesh | None) -> Iterator[None]:
  """Within it, what is traced has its activations placed by the rules."""
  if mesh is None:
    yield
    return
  token = PLACE.set(lambda x, names: jax.lax.with_sharding_constraint(x, NamedSharding(mesh, spec_of(names, x.shape, mesh))))
  try:
    yield
  finally:
    PLACE.reset(token)


class Rows(NamedTuple):
  """The part of each batch that this process makes: rows [part * B / parts, (part + 1) * B / parts)."""

  part: int
  parts: int


def rows_of_this_process(mesh: Mesh, batch_size: int) -> Rows:
  """Which rows of a batch this process's devices hold; processes whose devices hold the same rows (by the model axis) all make them.

  Raises:
    InputError: the batch can't be shared evenly.
  """
  shards = mesh.shape['data'] * mesh.shape['fsdp']
  if batch_size % shards:
    raise InputError(f'a batch of {batch_size} can not be shared evenly among {shards} devices (data x fsdp); give a multiple')
  held = batch_sharding(mesh).addressable_devices_indices_map((shards,)).values()
  mine = sorted({rows[0].indices(shards)[0] for rows in held if rows is not None})
  if mine != list(range(mine[0], mine[0] + len(mine))) or shards % len(mine) or mine[0] % len(mine):
    raise InputError(f'MeshConfig: the rows of a process are not consecutive on a mesh of {dict(mesh.shape)}; give another data x fsdp')
  return Rows(mine[0] // len(mine), shards // len(mine))


def check_microbatches(config: TrainConfig, devices: int) -> None:
  """Raises InputError where a device's rows can't be shared evenly among the microbatches, or as `mesh_shape` does."""
  data, fsdp, _ = mesh_shape(config.mesh, devices)
  shards = data * fsdp
  if config.microbatches < 1 or config.batch_size % (shards * config.microbatches):
    raise InputError(
      f'TrainConfig.batch_size is {config.batch_size}, which {config.microbatches} microbatches on {shards} devices (data x fsdp) can not '
      'share evenly; give a multiple'
    )


def everywhere(tree: Any, mesh: Mesh | None) -> Any:
  """Within a compiled function: these arrays whole on all devices, so that each process can read them."""
  return tree if mesh is None else jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, PartitionSpec()))


def batch_sharding(mesh: Mesh) -> NamedSharding:
  return NamedSharding(mesh, PartitionSpec(RULES['batch']))


def to_mesh(batch: Any, mesh: Mesh) -> Any:
  """A global batch of the rows that each process has made (numpy)."""
  sharding, rows = batch_sharding(mesh), len(jax.tree.leaves(batch)[0])
  size = rows * rows_of_this_process(mesh, mesh.size).parts  # any batch is shared alike

  def whole(x):
    return jax.make_array_from_process_local_data(sharding, np.asarray(x), (size, *np.shape(x)[1:]))

  return jax.tree.map(whole, batch)
