"""`mt3-synth export`: a training run's averaged parameters as a small model folder, or as one for diffusers.  Inverters too."""

import argparse
from typing import Any

from mt3_synth.config import InverterConfig
from mt3_synth.errors import InputError
from mt3_synth.interop.diffusers_folder import write_diffusers
from mt3_synth.interop.loading import load_model
from mt3_synth.inverter.gan import is_inverter, load_inverter
from mt3_synth.models.pretrained import save_pretrained

DTYPES = {'mt3_synth': 'float16', 'diffusers': 'float32'}  # by default


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('run', help='the folder of a training run, or of a model')
  parser.add_argument('--out', required=True, help='the folder to write into')
  parser.add_argument(
    '--format', choices=list(DTYPES), default='mt3_synth', help='config.json and model.safetensors, or a folder of diffusers'
  )
  parser.add_argument('--dtype', choices=['float16', 'float32'], help='of the weights on disk (default float16; float32 for diffusers)')


def run(args: argparse.Namespace) -> int:
  config, params = load_inverter(args.run) if is_inverter(args.run) else load_model(args.run)[:2]
  if args.format == 'diffusers' and isinstance(config, InverterConfig):
    raise InputError(f'{args.run}: is an inverter, which diffusers has no folder for; leave out --format')
  write: Any = write_diffusers if args.format == 'diffusers' else save_pretrained
  write(args.out, config, params, args.dtype or DTYPES[args.format])
  print(args.out)
  return 0
