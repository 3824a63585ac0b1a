"""What a run writes to be looked at: `metrics.jsonl`, and TensorBoard's files.

TensorBoard's records are made by tensorboardX, whose functions need no TensorFlow; `clu.metric_writers` imports TensorFlow and tensorboard
whichever of its writers is used, and training does without them.  The thread that asks for it writes them: tensorboardX's own writer has a
thread that dies of a full disk, after which its caller waits for ever.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]

from mt3_synth.audio.mel import scale
from mt3_synth.errors import InputError
from mt3_synth.training.files import write_whole
from mt3_synth.training.learner import Examples

METRICS = 'metrics.jsonl'


class Logs:
  """Writes what is measured under a run's folder, by the first process alone; use it in a `with` statement."""

  def __init__(self, model_dir: Path, step: int = 0):
    """Forgets what an interrupted run wrote of the steps after `step`, where this one starts."""
    self.model_dir, self.writes = model_dir, jax.process_index() == 0
    if self.writes:
      self._attempt(self._open, step)

  def __enter__(self):
    return self

  def __exit__(self, *_):
    if self.writes:
      self._attempt(self._close)

  def scalars(self, step: int, values: Mapping[str, Any]) -> None:
    """One line of metrics.jsonl, and as many curves.

    Raises:
      InputError: it can't be written, e.g. because the disk is full.
    """
    if not self.writes:
      return
    values = {name: value if isinstance(value, int) else float(value) for name, value in values.items()}
    line = json.dumps({'step': step, 'seconds': round(time.time() - self.start, 1)} | values) + '\n'
    self._attempt(self._write, step, line, [summary.scalar(name, float(value)) for name, value in values.items()])

  def examples(self, step: int, examples: Examples) -> None:
    """Pictures, low bands at the bottom, and sounds."""
    if not self.writes:
      return
    pictures = {name: (scale(frames).T[::-1] + 1) / 2 for name, frames in examples.mels.items()}
    shown = [summary.image(f'mel/{name}', picture, dataformats='HW') for name, picture in pictures.items()]
    shown += [summary.audio(f'audio/{name}', sound, examples.sample_rate) for name, sound in examples.audio.items()]
    self._attempt(self._write, step, '', shown)

  def _open(self, step: int) -> None:
    path = self.model_dir / METRICS
    kept, seconds = _lines_up_to(path, step)
    write_whole(path, kept)
    self.file = path.open('a')
    self.start = time.time() - seconds
    self.events = EventsWriter(str(self.model_dir / 'events'), f'.{os.getpid()}')
    if step:  # TensorBoard, too, forgets what comes after
      self.events.write_event(Event(wall_time=time.time(), step=step + 1, session_log=SessionLog(status=SessionLog.START)))

  def _write(self, step: int, line: str, summaries: list[Any]) -> None:
    self.file.write(line)
    self.file.flush()
    for each in summaries:
      self.events.write_event(Event(wall_time=time.time(), step=step, summary=each))
    self.events.flush()

  def _close(self) -> None:
    self.file.close()
    self.events.close()

  def _attempt(self, write, *args) -> None:
    try:
      write(*args)
    except OSError as e:
      raise InputError(f'{self.model_dir}: logs can not be written ({e.strerror}); free space, and give the same command') from None


def _lines_up_to(path: Path, step: int) -> tuple[str, float]:
  """The whole lines of the steps up to `step`, and the last one's seconds."""
  kept, seconds = [], 0.0
  for line in path.read_text(errors='replace').splitlines() if path.exists() else []:
    try:
      values = json.loads(line)
    except json.JSONDecodeError:
      continue  # torn, when the machine went down
    if isinstance(values, dict) and values.get('step', step + 1) <= step:
      kept.append(line + '\n')
      seconds = values.get('seconds', seconds)
  return ''.join(kept), seconds
