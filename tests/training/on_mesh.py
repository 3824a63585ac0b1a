"""A process of a test: trains a tiny model on a mesh, from a checkpoint and into one if asked, and prints what came of it.

python -m tests.training.on_mesh '{"mesh": [1, 1, 1], "steps": 3}'
"""

import hashlib
import json
import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from mt3_synth.models.model import make_model
from mt3_synth.training.checkpoints import Checkpoints
from mt3_synth.training.config import MeshConfig, OptimizerConfig
from mt3_synth.training.distributed import join
from mt3_synth.training.optimizer import make_optimizer
from mt3_synth.training.partitioning import make_mesh, rows_of_this_process, to_mesh
from mt3_synth.training.step import initial_state, layout, train_step
from tests.data.tiny import tiny_variant
from tests.training.test_gradient import batch

ROWS = 8


def main(asked: dict) -> dict:
  join(*asked.get('who', ()))
  mesh = make_mesh(MeshConfig(*asked['mesh']))
  config = tiny_variant('basic', dropout=0.1)
  model, tx = make_model(config), make_optimizer(OptimizerConfig(asked.get('optimizer', 'adamw')), 100)
  state = initial_state(jax.random.key(0), model=model, tx=tx, mesh=mesh)
  if 'restore' in asked:
    with Checkpoints(Path(asked['restore']), keep=1) as checkpoints:
      saved = checkpoints.restore(state)
    assert saved is not None
    state = saved.state
  update = partial(train_step, model=model, tx=tx, ema_decay=0.9, mesh=mesh, microbatches=asked.get('microbatches', 1))
  part, parts = rows_of_this_process(mesh, ROWS)
  rows = batch(config, list(range(ROWS)))
  mine = jax.tree.map(lambda x: x[part * ROWS // parts : (part + 1) * ROWS // parts], rows)
  losses = []
  for _ in range(asked['steps']):
    state, metrics = update(state, to_mesh(mine, mesh), jax.random.key(1))
    losses.append(float(metrics['loss']))
  if 'save' in asked:
    with Checkpoints(Path(asked['save']), keep=1) as checkpoints:
      checkpoints.save(state, {})
  whole = lambda x: np.asarray(multihost_utils.process_allgather(x, tiled=True))
  placed = jax.tree.map(lambda x, asked: x.sharding.is_equivalent_to(asked, x.ndim), state, layout(model, tx, mesh))
  specs = {jax.tree_util.keystr(path): [list(x.shape), str(x.sharding.spec)] for path, x in jax.tree_util.tree_leaves_with_path(state)}
  sizes = [(np.prod(x.addressable_shards[0].data.shape), x.size) for x in jax.tree.leaves(state)]
  return {
    'losses': losses,
    'as_the_rules_say': all(jax.tree.leaves(placed)),
    'specs': specs,
    'share_of_the_state_a_device': float(sum(held for held, _ in sizes) / sum(size for _, size in sizes)),
    'programs': train_step._cache_size(),  # pyright: ignore[reportAttributeAccessIssue]
    'part': part,
    'hashes': [hashlib.sha256(whole(x).tobytes()).hexdigest() for x in jax.tree.leaves(state)],
  }


if __name__ == '__main__':
  print(json.dumps(main(json.loads(sys.argv[1]))))
