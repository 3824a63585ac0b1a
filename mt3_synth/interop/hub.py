"""Checkpoints by their id on the Hugging Face hub."""

import re
from pathlib import Path

from mt3_synth.errors import InputError

_ID = re.compile(r'[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*')
_WANTED = ['*.json', '*.gin', '*.safetensors', 'melgan/model.onnx', 'checkpoint*']
_PICKLED = '*.bin'


def is_hub_id(name: str) -> bool:
  """Whether `name` looks like OWNER/NAME, and neither it nor the folder OWNER is here."""
  return _ID.fullmatch(name) is not None and not Path(name).parent.exists()


def download(name: str) -> Path:
  """The folder of a checkpoint in huggingface_hub's cache, downloaded if it is not there yet.

  Raises:
    InputError: huggingface_hub is not installed, there is no network or no such checkpoint.
  """
  by_hand = f'or download all files of {name} elsewhere (model_index.json and the folders beside it) and give their folder'
  try:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
  except ImportError:
    raise InputError(f'{name}: no such folder; if it is on the Hugging Face hub: pip install huggingface_hub, {by_hand}') from None
  try:
    folder = Path(snapshot_download(name, allow_patterns=_WANTED))
    if not any(folder.rglob('*.safetensors')):  # pickles only where there is nothing safer
      folder = Path(snapshot_download(name, allow_patterns=[*_WANTED, _PICKLED]))
  except (HfHubHTTPError, HFValidationError, OSError) as e:
    reason = str(e).strip().partition('\n')[0]
    raise InputError(
      f'{name}: no such folder, and not to be had from the Hugging Face hub ({reason}); look at the name and the network, {by_hand}'
    ) from None
  return folder
