"""Run where diffusers is installed, and nothing of ours: `write FOLDER ARRAYS` makes a small model, `run FOLDER ARRAYS` runs one.

Either leaves what the model gives for the inputs of ARRAYS (.npz) beside it, as ARRAYS.out.npz.
"""

import sys
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from diffusers import DDPMScheduler, SpectrogramDiffusionPipeline, T5FilmDecoder  # pyright: ignore[reportMissingImports]
from diffusers.pipelines.deprecated.spectrogram_diffusion import (  # pyright: ignore[reportMissingImports]
  SpectrogramContEncoder,
  SpectrogramNotesEncoder,
)

SIZES = {'d_model': 32, 'dropout_rate': 0.1, 'num_layers': 2, 'num_heads': 4, 'd_kv': 8, 'd_ff': 64}
ENCODER = SIZES | {'feed_forward_proj': 'gated-gelu'}
PARTS = {
  'notes_encoder': SpectrogramNotesEncoder,
  'continuous_encoder': SpectrogramContEncoder,
  'decoder': T5FilmDecoder,
  'scheduler': DDPMScheduler,
}


def write(folder: str, max_noise_time: float, safe: bool):
  torch.manual_seed(0)
  pipeline = SpectrogramDiffusionPipeline(
    SpectrogramNotesEncoder(max_length=64, vocab_size=1536, **ENCODER),
    SpectrogramContEncoder(input_dims=128, targets_context_length=16, **ENCODER),
    T5FilmDecoder(input_dims=128, targets_length=16, max_decoder_noise_time=max_noise_time, **SIZES),
    DDPMScheduler(beta_schedule='squaredcos_cap_v2', variance_type='fixed_large'),
    melgan=None,
  )
  for part in (pipeline.notes_encoder, pipeline.continuous_encoder, pipeline.decoder):
    for name, weight in part.named_parameters():
      drawn = torch.randn_like(weight)
      is_table = 'embedder' in name or 'position' in name
      weight.data = 1 + 0.1 * drawn if weight.ndim == 1 else drawn if is_table else 0.7 * drawn / weight.shape[-1] ** 0.5
  pipeline.save_pretrained(folder, safe_serialization=safe)
  return pipeline


def read(folder: str):
  """Part by part: this version's own index names a module that it has moved."""
  return SpectrogramDiffusionPipeline(melgan=None, **{name: cls.from_pretrained(folder, subfolder=name) for name, cls in PARTS.items()})


def outputs(pipeline, inputs) -> dict[str, Any]:
  """Row by row: positions of a context are rolled by the first row's length."""
  rows = []
  for row in range(len(inputs['tokens'])):
    tokens, context, mask, z, time = (torch.from_numpy(inputs[name][row : row + 1]) for name in ('tokens', 'context', 'mask', 'z', 'time'))
    encoded = pipeline.encode(tokens, context, mask)
    rows.append((pipeline.decoder(encoded, z, time), encoded[0][0], encoded[1][0]))
  return {name: torch.cat(each).numpy() for name, each in zip(('output', 'notes', 'context'), zip(*rows, strict=True), strict=True)}


def main(verb: str, folder: str, arrays: str, max_noise_time: str = '20000', form: str = 'safetensors') -> None:
  pipeline = write(folder, float(max_noise_time), form == 'safetensors') if verb == 'write' else read(folder)
  for part in (pipeline.notes_encoder, pipeline.continuous_encoder, pipeline.decoder):
    part.eval()
  with torch.no_grad():
    np.savez(arrays + '.out.npz', **outputs(pipeline, np.load(arrays)))


if __name__ == '__main__':
  main(*sys.argv[1:])
