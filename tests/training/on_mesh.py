"""A process of a test: trains a tiny model on a mesh, and prints its losses.  `python -m tests.training.on_mesh '{"steps": ...}'`"""

import json
import sys
from functools import partial

import jax
import numpy as np

from mt3_synth.models.model import make_model
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
  model, tx = make_model(config), make_optimizer(OptimizerConfig(asked.get('optimizer', 'adamw')), asked['steps'])
  state = initial_state(jax.random.key(0), model=model, tx=tx, mesh=mesh)
  update = partial(train_step, model=model, tx=tx, ema_decay=0.9, mesh=mesh, microbatches=asked.get('microbatches', 1))
  part, parts = rows_of_this_process(mesh, ROWS)
  whole = batch(config, list(range(ROWS)))
  mine = jax.tree.map(lambda x: x[part * ROWS // parts : (part + 1) * ROWS // parts], whole)
  losses = []
  for _ in range(asked['steps']):
    state, metrics = update(state, to_mesh(mine, mesh), jax.random.key(1))
    losses.append(float(metrics['loss']))
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
  }


if __name__ == '__main__':
  print(json.dumps(main(json.loads(sys.argv[1]))))
