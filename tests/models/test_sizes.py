"""The shipped models: each gin file builds one of the size that it says."""

import re
from pathlib import Path

import flax.linen as nn
import jax
import pytest

from mt3_synth.gin_files import read_gin
from mt3_synth.models.model import make_model
from mt3_synth.training.config import TrainConfig

ROOT = Path(__file__).parents[2]
FAMILIES = ('diffusion/context', 'diffusion/basic', 'ar/deterministic', 'ar/mixture')
SIZES = ('tiny', 'small', 'base', 'large')
PUBLISHED = {
  'diffusion/context/small': {'all': 104.0},
  'diffusion/context/base': {'all': 411.7, 'token_encoder': 87.7, 'continuous_encoder': 85.2, 'decoder': 238.7},
}


def model_of(name):
  file = f'gin_configs/models/{name}.gin'
  return file, read_gin(TrainConfig, [file], ["MODEL_DIR='x'", "CORPORA=('x',)"]).spectrogram_model


def millions(config) -> dict[str, float]:
  shapes = nn.meta.unbox(jax.eval_shape(make_model(config).init, jax.random.key(0)))
  count = lambda tree: round(sum(x.size for x in jax.tree.leaves(tree)) / 1e6, 1)
  return {'all': count(shapes)} | {name: count(part) for name, part in shapes.items()}


@pytest.mark.parametrize('name', [f'{family}/{size}' for family in FAMILIES for size in SIZES])
def test_a_file_says_how_many_parameters_its_model_has(name):
  file, config = model_of(name)
  counts = millions(config)
  text = (ROOT / file).read_text()
  assert re.search(r'^# ([\d.]+) M parameters', text, re.MULTILINE)[1] == str(counts['all'])  # pyright: ignore[reportOptionalSubscript]
  assert f'mt3-synth train --gin_file {file} ' in text
  assert counts | PUBLISHED.get(name, {}) == counts
  family, _, size = name.rpartition('/')
  assert config.decoder == ('diffusion' if family.startswith('diffusion') else 'autoregressive')
  assert bool(config.network.context_frames) == (family == 'diffusion/context')
  assert config.autoregressive.output == ('mixture' if family == 'ar/mixture' else 'deterministic')
  assert config.network.conditioning == ('aligned' if size == 'tiny' else 'tokens')
