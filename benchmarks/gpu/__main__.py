"""`python -m benchmarks.gpu --out FILE.json [--seconds 240] [--golden DIR] [--only SECTION ...] [--cache DIR] [--tiny]`.

In one call, within the time: correctness, training, synthesis, the autoregressive decoder, the inverters, the device itself, the input
pipeline.  Programs are compiled side by side first, then measured one by one.  FILE.json is written after each; a short table comes last.
Needs jax, flax, optax, numpy and gin-config; `feeding` also grain, array-record, soundfile and soxr, and is reported as failed without.
"""

import argparse
import os
import sys
from pathlib import Path

SECTIONS = ('correct', 'device', 'training', 'synthesis', 'autoregressive', 'inverter', 'feeding')


def main(argv: list[str] | None = None) -> int:
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.gpu', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--out', type=Path, required=True)
  parser.add_argument('--seconds', type=float, default=240)
  parser.add_argument('--golden', type=Path, help="a folder with the published system's values, net_context_main.npz and so on")
  parser.add_argument('--only', nargs='+', choices=SECTIONS, default=SECTIONS)
  parser.add_argument('--match', default='', help='only jobs whose name holds this')
  parser.add_argument('--cache', help="a folder for compiled programs: a second call on the same kind of device doesn't compile again")
  parser.add_argument('--threads', type=int, default=min(12, os.cpu_count() or 1), help='that compile')
  parser.add_argument('--tiny', action='store_true', help='tiny sizes: to try the benchmark')
  args = parser.parse_args(argv)
  # Read when the device is first used.  Products by cuBLAS alone: choosing among Triton's kernels takes most of the time of compiling.
  os.environ.setdefault('XLA_FLAGS', '--xla_gpu_enable_triton_gemm=false')
  os.environ.setdefault('XLA_PYTHON_CLIENT_MEM_FRACTION', '0.92')
  import jax

  from benchmarks.__main__ import machine
  from benchmarks.gpu import correct, feeding, synthesis, training
  from benchmarks.gpu.jobs import Report, brief, run

  if args.cache:
    jax.config.update('jax_compilation_cache_dir', args.cache)
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 1)
  args.out.parent.mkdir(parents=True, exist_ok=True)
  command = ' '.join(['python -m benchmarks.gpu', *(sys.argv[1:] if argv is None else argv)])
  report = Report(args.out, {'command': command, **machine(), 'xla_flags': os.environ['XLA_FLAGS']}, args.seconds)
  by_section = {
    'correct': correct.jobs(args.golden, args.tiny),
    'device': synthesis.device_jobs(args.tiny),
    'training': training.jobs(args.tiny),
    'synthesis': synthesis.jobs(args.tiny),
    'autoregressive': synthesis.decoder_jobs(args.tiny),
    'inverter': synthesis.inverter_jobs(args.tiny),
    'feeding': feeding.jobs(args.tiny),
  }
  jobs = [job for job in by_importance(by_section, args.only) if args.match in job.name]
  run(jobs, report, args.threads)
  print(f'\n{report.figures["device"]}, {report.figures["versions"]}')
  for name, figures in report.figures['results'].items():
    print(f'  {name:58} {brief({key: value for key, value in figures.items() if key in SHOWN})}')
  print(f'written: {args.out}', flush=True)
  return 0


SHOWN = (
  'error', 'skipped', 'output', 'gradient_relative', 'relative', 'step_milliseconds', 'examples_per_second', 'utilisation',
  'planned_gigabytes', 'times_real_time_at_25', 'seconds_per_audio_second_at_1000', 'first_audio_milliseconds', 'frames_per_second',
  'times_real_time', 'bfloat16_product_teraflops_per_second',
)  # fmt: skip


def by_importance(by_section: dict, only) -> list:
  """Section after section in turn, so that of each the most important jobs come first; the host's own last."""
  turns = [list(by_section[name]) for name in ('correct', 'training', 'synthesis', 'autoregressive', 'inverter') if name in only]
  mixed = [jobs[n] for n in range(max(map(len, turns), default=0)) for jobs in turns if n < len(jobs)]
  return mixed + [job for name in ('device', 'feeding') if name in only for job in by_section[name]]


if __name__ == '__main__':
  status = main()
  sys.stdout.flush()
  os._exit(status)  # threads that still compile are not waited for
