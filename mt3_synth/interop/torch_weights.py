"""Weights in PyTorch's own format: a pickle, so it is opened by PyTorch's restricted reader or not at all."""

from pathlib import Path

import numpy as np

from mt3_synth.errors import InputError


def read_torch_weights(file: Path) -> dict[str, np.ndarray]:
  """name -> float32 array.

  Raises:
    InputError: PyTorch is not installed, or the file is cut short or holds more than tensors.
  """
  try:
    import torch  # pyright: ignore[reportMissingImports]
  except ImportError:
    raise InputError(
      f'{file}: is a pickle of PyTorch, which only PyTorch opens safely; pip install torch, or get the same as .safetensors'
    ) from None
  try:
    state = torch.load(file, map_location='cpu', weights_only=True)
    return {name: tensor.detach().float().numpy() for name, tensor in state.items()}
  except Exception as e:  # the readers below torch.load have errors of many kinds, and texts that say how to open it unsafely
    raise InputError(f'{file}: cut short, or holds more than tensors and is not opened ({type(e).__name__})') from None
