"""`mt3-synth import`: a published checkpoint as a model folder of this project."""

import argparse
import shutil
import typing
from pathlib import Path

from mt3_synth.errors import InputError
from mt3_synth.interop.loading import MELGAN, load_model
from mt3_synth.models.pretrained import save_pretrained
from mt3_synth.notes.programs import Granularity


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('source', help='a checkpoint of T5X, a folder of diffusers, a zip of either, or an id on the Hugging Face hub')
  parser.add_argument('--out', required=True, help='the folder to write config.json and model.safetensors into')
  parser.add_argument('--dtype', choices=['float16', 'float32'], default='float32', help='of the weights on disk (default float32)')
  parser.add_argument(
    '--programs',
    choices=typing.get_args(Granularity),
    help="how finely the checkpoint's training data told instruments apart (as the checkpoint says; slakh_classes of the published ones)",
  )


def run(args: argparse.Namespace) -> int:
  loaded = load_model(args.source, args.programs)
  save_pretrained(args.out, loaded.config, loaded.params, args.dtype)
  if loaded.inverter is not None:
    _copy(loaded.inverter, Path(args.out) / MELGAN)
  network, decoder = loaded.config.network, loaded.config.decoder
  print(
    f'{args.out}: {decoder}{" with context" if network.context_frames else ""}, {network.encoder_layers} + {network.decoder_layers} layers '
    f'of {network.emb_dim}, programs {loaded.config.notes.programs}'
  )
  return 0


def _copy(file: Path, to: Path) -> None:
  try:
    to.parent.mkdir(exist_ok=True)
    part = to.with_name(f'.{to.name}.part')
    try:
      shutil.copyfile(file, part)
      part.replace(to)
    finally:
      part.unlink(missing_ok=True)
  except OSError as e:
    raise InputError(f'{to}: {e.strerror}; give a folder that can be written') from None
