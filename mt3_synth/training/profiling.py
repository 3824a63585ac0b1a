"""A profile of some steps of a run, for TensorBoard's profile page or xprof."""

from pathlib import Path

import jax

from mt3_synth.errors import InputError


class Profiler:
  """Records the steps from `window[0]` to `window[1]` under `model_dir`/profile; use it in a `with` statement."""

  def __init__(self, model_dir: Path, window: tuple[int, ...]):
    """window: first and last step, or empty.

    Raises:
      InputError: it is neither.
    """
    if window and (len(window) != 2 or not 1 <= window[0] <= window[1]):
      raise InputError(f'TrainConfig.profile is {window}, expected the first and the last step to record, e.g. (10, 15)')
    self.folder, self.steps = model_dir / 'profile', range(window[0], window[1] + 1) if window else range(0)
    self.recording = False

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self._stop()

  def before(self, step: int) -> None:
    if step in self.steps and not self.recording:
      jax.profiler.start_trace(self.folder)
      self.recording = True

  def after(self, step: int, metrics: dict) -> None:
    if self.recording and step + 1 not in self.steps:
      jax.block_until_ready(metrics)  # or the device is still at it
      self._stop()

  def _stop(self) -> None:
    if self.recording:
      jax.profiler.stop_trace()
      self.recording = False
