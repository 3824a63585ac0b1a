"""metrics.jsonl and TensorBoard's files, as a run that was interrupted leaves and finds them."""

import json
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]

from mt3_synth.errors import InputError
from mt3_synth.training.learner import Examples
from mt3_synth.training.logs import Logs


def lines(folder):
  return [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]


def events(folder):
  """TFRecords: length, its checksum, an event, its checksum."""
  for file in sorted(folder.glob('events*'), key=lambda file: file.stat().st_mtime_ns):
    data = file.read_bytes()
    while data:
      (length,) = struct.unpack('<Q', data[:8])
      yield Event.FromString(data[12 : 12 + length])
      data = data[16 + length :]


def test_a_run_that_goes_on_forgets_what_came_after_its_checkpoint(tmp_path):
  with Logs(tmp_path) as logs:
    for step in (2, 4, 6):
      logs.scalars(step, {'train/loss': 1 / step, 'train/skipped': 0})
  before = lines(tmp_path)
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 8, "tra')
  with Logs(tmp_path, step=4) as logs:
    logs.scalars(6, {'train/loss': np.float32(0.5)})
  after = lines(tmp_path)
  assert after[:2] == before[:2]
  assert [(line['step'], line['train/loss']) for line in after] == [(2, 0.5), (4, 0.25), (6, 0.5)]
  assert after[2]['seconds'] >= before[1]['seconds']
  assert before[0]['train/skipped'] == 0
  starts = [event.step for event in events(tmp_path) if event.session_log.status == SessionLog.START]
  assert starts == [5]


def test_tensorboard_gets_curves_pictures_and_sounds(tmp_path):
  mel = np.full((20, 128), -8.0, np.float32)
  mel[:, 0] = 2.0  # the lowest band is loud
  with Logs(tmp_path) as logs:
    logs.scalars(3, {'eval/loss': 0.25})
    logs.examples(3, Examples({'a': mel}, {'a': np.zeros(400, np.float32)}))
  values = {value.tag: (event.step, value) for event in events(tmp_path) for value in event.summary.value}
  assert {tag: step for tag, (step, _) in values.items()} == {'eval/loss': 3, 'mel/a': 3, 'audio/a': 3}
  picture = values['mel/a'][1].image
  assert (picture.height, picture.width) == (128, 20)
  assert values['audio/a'][1].audio.length_frames == 400


def test_a_full_disk_is_told_in_one_line(tmp_path):
  with Logs(tmp_path) as logs:
    file, logs.file = logs.file, open('/dev/full', 'w')  # noqa: SIM115
    with pytest.raises(InputError, match='logs can not be written .No space left on device.; free space'):
      logs.scalars(1, {'loss': 1.0})
    logs.file = file


def test_only_the_first_process_writes(tmp_path, monkeypatch):
  monkeypatch.setattr('mt3_synth.training.logs.jax', SimpleNamespace(process_index=lambda: 1))
  with Logs(tmp_path) as logs:
    logs.scalars(1, {'loss': 1.0})
    logs.examples(1, Examples())
  assert not list(tmp_path.iterdir())
