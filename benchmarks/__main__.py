"""`python -m benchmarks [NAME ...] [--out FILE.json]`: runs benchmarks, prints a table, writes the figures as JSON.

Names are modules of this folder; all that have `run()` when none is given.  Exit status 1 when one fails; the others still run.
"""

import argparse
import datetime
import importlib
import importlib.metadata
import json
import os
import pathlib
import pkgutil
import platform
import sys
import time
import traceback

FOLDER = pathlib.Path(__file__).parent


def main(argv: list[str] | None = None) -> int:
  names = [each.name for each in pkgutil.iter_modules([str(FOLDER)]) if not each.name.startswith('_') and not each.ispkg]
  parser = argparse.ArgumentParser(prog='python -m benchmarks', description='Measures speed and quality on this machine.')
  parser.add_argument('names', nargs='*', metavar='NAME', help=f'which: {", ".join(names)}; all when none is given')
  parser.add_argument('--out', type=pathlib.Path, help='write the figures to this JSON file')
  args = parser.parse_args(argv)
  unknown = sorted(set(args.names) - set(names))
  if unknown:
    parser.error(f'no benchmark {unknown[0]}; there are {", ".join(names)}')
  report = {
    'command': ' '.join(['python -m benchmarks', *(sys.argv[1:] if argv is None else argv)]),
    'date': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
    **machine(),
    'results': {},
  }
  for name in ('date', 'device', 'cpu', 'versions'):
    print(f'{name}: {report[name]}')
  failed = 0
  for name in args.names or names:
    module = importlib.import_module(f'benchmarks.{name}')
    if not hasattr(module, 'run'):
      continue
    print(f'\n{name}: {(module.__doc__ or "").strip().splitlines()[0]}', flush=True)
    start = time.perf_counter()
    try:
      figures = module.run()
    except Exception:  # one that fails must not lose the others' figures
      traceback.print_exc()
      report['results'][name] = {'error': traceback.format_exc(limit=-1)}
      failed = 1
      continue
    report['results'][name] = figures | {'benchmark_seconds': time.perf_counter() - start}
    for figure, value in report['results'][name].items():
      print(f'  {figure:44} {text(value):>16}', flush=True)
  if args.out:
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2) + '\n')
    print(f'\nwritten: {args.out}')
  return failed


def machine() -> dict:
  """What the figures depend on: the device jax computes on, the processor, and the versions."""
  import jax

  device = jax.devices()[0]
  packages = ('jax', 'jaxlib', 'flax', 'numpy')
  return {
    'device': f'{len(jax.devices())} x {device.device_kind} ({device.platform})',
    'cpu': f'{os.cpu_count()} x {_processor()}',
    'versions': f'Python {platform.python_version()}, ' + ', '.join(f'{name} {importlib.metadata.version(name)}' for name in packages),
  }


def _processor() -> str:
  try:
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    return next(line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
  except (OSError, StopIteration):  # not Linux, or a processor without a name
    return platform.processor() or platform.machine()


def text(value) -> str:
  """A figure for people: four significant digits."""
  if isinstance(value, bool) or not isinstance(value, (int, float)):
    return str(value)
  return f'{value:,.0f}' if value == int(value) or abs(value) >= 1000 else f'{value:.4g}'


if __name__ == '__main__':
  sys.exit(main())
