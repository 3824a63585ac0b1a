"""Are the networks on this device what they are on CPUs: the published system's values in float32, and bfloat16 against float32."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from benchmarks.gpu import material
from benchmarks.gpu.jobs import Job
from mt3_synth.config import ModelConfig, NetworkConfig
from mt3_synth.models.conditions import Conditions
from mt3_synth.models.model import make_model

GOLDEN = NetworkConfig(
  emb_dim=32, num_heads=4, head_dim=8, encoder_layers=2, decoder_layers=2, mlp_dim=64, dropout=0.0, note_length=64, target_frames=16,
  context_frames=16,
)  # fmt: skip


def jobs(golden: Path | None, tiny: bool) -> list[Job]:
  made = [Job('correct/bfloat16_loss', lambda: bfloat16_loss(tiny), dict)]
  if golden:
    made.insert(0, Job('correct/diffusion_golden', lambda: diffusion(golden), dict))
    made.insert(1, Job('correct/autoregressive_golden', lambda: autoregressive(golden), dict))
  return made


def diffusion(golden: Path) -> dict:
  """Largest differences: of outputs (2e-5 is allowed), of gradients relative to each array's largest (1e-4), of the loss (1e-5)."""
  model = make_model(ModelConfig(network=GOLDEN))
  arrays, params = _read(golden / 'net_context_main.npz')
  want = np.load(golden / 'loss_context_main.npz')
  told = Conditions(jnp.asarray(arrays['tokens']), jnp.asarray(arrays['context_scaled']), jnp.asarray(arrays['context_mask']))
  batch = {'conditions': told, 'targets': want['x0'], 'targets_mask': arrays['target_mask']}
  total = lambda params: model.loss(params, batch, jnp.asarray(want['rng_key']))[0] * arrays['target_mask'].sum() * GOLDEN.mel_bands
  apply = lambda params, told: model.network.apply({'params': params}, arrays['z_t'], arrays['time'], told)
  with jax.default_matmul_precision('highest'):
    output, deaf = jax.jit(lambda p: (apply(p, told), apply(p, told.where(jnp.zeros(4, bool)))))(params)
    value, grads = jax.jit(jax.value_and_grad(total))(params)
  return {
    'output': _largest(output, arrays['out']),
    'output_without_conditions': _largest(deaf, arrays['out_uncond']),
    'loss_relative': abs(float(value) / float(want['loss']) - 1),
    'gradient_relative': _gradients(grads, want),
  }


def autoregressive(golden: Path) -> dict:
  network = material.with_network(ModelConfig(network=GOLDEN), context_frames=0, position_encoding='fixed', mask_padding=False).network
  model: Any = make_model(ModelConfig(network=network, decoder='autoregressive'))
  arrays, params = _read(golden / 'net_ar_main.npz')
  told = Conditions(jnp.asarray(arrays['tokens']))
  batch = {'conditions': told, 'targets': jnp.asarray(arrays['decoder_target']), 'targets_mask': jnp.asarray(arrays['target_mask'])}
  total = lambda params: model.loss(params, batch, jax.random.key(0))[0] * arrays['target_mask'].sum()
  with jax.default_matmul_precision('highest'):
    output = jax.jit(lambda p: model.network.apply({'params': p}, arrays['decoder_input'], told))(params)
    value, grads = jax.jit(jax.value_and_grad(total))(params)
    decoded = jax.jit(lambda p: model.decode(p, told, jax.random.key(0)))(params)
  return {
    'output': _largest(output, arrays['out_teacher_forced']),
    'decoded': _largest(decoded, arrays['decoded']),
    'loss_relative': abs(float(value) / float(arrays['loss']) - 1),
    'gradient_relative': _gradients(grads, arrays),
  }


def bfloat16_loss(tiny: bool) -> dict:
  """The loss of the small model, untrained, in both types and at default precision: the same draws."""
  config = material.config_of('diffusion', 'small', tiny)
  length = config.network.note_length
  params, losses = material.params_of(config), {}
  for dtype in ('float32', 'bfloat16'):
    model = make_model(material.with_network(config, dtype=dtype))
    c = model.config.network
    targets = jax.random.uniform(jax.random.key(5), (4, c.target_frames, c.mel_bands), minval=-1)
    told = material.conditions(config, 4, length, length // 3)
    batch = {'conditions': told, 'targets': targets, 'targets_mask': jnp.ones(targets.shape[:2])}
    losses[dtype] = float(jax.jit(model.evaluation_loss)(params, batch, jax.random.key(0))['loss'])
  return losses | {'relative': abs(losses['bfloat16'] / losses['float32'] - 1)}


def _read(file: Path) -> tuple[Any, Any]:
  arrays = np.load(file)
  params = {tuple(name.split('/')[1:]): jnp.asarray(arrays[name]) for name in arrays.files if name.startswith('param/')}
  return arrays, traverse_util.unflatten_dict(params)


def _largest(found, want) -> float:
  return float(np.abs(np.asarray(found) - want).max())


def _gradients(grads, want) -> float:
  flat = traverse_util.flatten_dict(grads, sep='/')
  scale = lambda array: max(float(np.abs(array).max()), 1e-6)
  return max(_largest(grad, want[f'grad/{name}']) / scale(want[f'grad/{name}']) for name, grad in flat.items())
