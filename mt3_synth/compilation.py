"""Compiled programs are kept on disk: the second run of the same model starts at once."""

import os
from functools import cache
from pathlib import Path

import jax


def cache_compiled_programs() -> None:
  """Points JAX's persistent cache at `$MT3_SYNTH_CACHE`, or `mt3_synth` under the user's cache folder, unless one is set."""
  if jax.config.jax_compilation_cache_dir:  # pyright: ignore[reportAttributeAccessIssue]
    return
  home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
  jax.config.update('jax_compilation_cache_dir', str(os.environ.get('MT3_SYNTH_CACHE') or Path(home) / 'mt3_synth'))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)


def compiling_seconds() -> float:
  """Seconds that JAX has spent on compiling in this process, counted from the first call on."""
  return sum(_durations())


@cache
def _durations() -> list[float]:
  """Grows with every program that is compiled."""
  durations: list[float] = []

  def listen(event: str, duration_secs: float, **_) -> None:
    if event in ('/jax/core/compile/jaxpr_to_mlir_module_duration', '/jax/core/compile/backend_compile_duration'):
      durations.append(duration_secs)

  jax.monitoring.register_event_duration_secs_listener(listen)
  return durations
