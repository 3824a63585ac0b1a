"""Scalars of a run: TensorBoard, and `metrics.jsonl` for everything else."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter


class Logs:
  """Writes scalars under a run's folder; use it in a `with` statement."""

  def __init__(self, model_dir: Path):
    self.writer = SummaryWriter(str(model_dir))
    self.file = (model_dir / 'metrics.jsonl').open('a', buffering=1)
    self.start = time.time()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.writer.close()
    self.file.close()

  def scalars(self, step: int, values: Mapping[str, Any]) -> None:
    values = {name: float(value) for name, value in values.items()}
    for name, value in values.items():
      self.writer.add_scalar(name, value, step)
    self.file.write(json.dumps({'step': step, 'seconds': round(time.time() - self.start, 1)} | values) + '\n')
