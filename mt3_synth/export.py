"""`mt3-synth export`: a training run's averaged parameters as a small model folder."""

import argparse

from mt3_synth.models.pretrained import load_pretrained, save_pretrained


def add_arguments(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('run', help='the folder of a training run')
  parser.add_argument('--out', required=True, help='the folder to write config.json and model.safetensors into')
  parser.add_argument('--dtype', choices=['float16', 'float32'], default='float16', help='of the weights on disk (default float16)')


def run(args: argparse.Namespace) -> int:
  config, params = load_pretrained(args.run)
  save_pretrained(args.out, config, params, args.dtype)
  print(args.out)
  return 0
