"""An inverter of the smallest sizes."""

import functools

import jax
import numpy as np

from mt3_synth.config import AdversaryConfig, GeneratorConfig, InverterConfig, InverterLossConfig
from mt3_synth.inverter.gan import initial_params

TINY = InverterConfig(
  generator=GeneratorConfig(width=16, blocks=1, refining_blocks=1, kernel=3, iterations=1, projections=2),
  crop_frames=16,
  loss=InverterLossConfig(scales=0.0),  # six spectra less to compile
  adversary=AdversaryConfig(periods=(2,), period_channels=(4, 8), ffts=(256,), fft_channels=4),
)


@functools.cache
def drawn():
  """Parameters in which everything counts: those to begin with leave much at nought."""
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(functools.partial(initial_params, config=TINY), jax.random.key(0))
  return jax.tree.map(lambda x: np.asarray(x.ndim < 2, np.float32) + 0.2 * rng.standard_normal(x.shape).astype(np.float32), shapes)
