"""Stands in for `mt3-synth` where tests of sweeps look at processes, not at models: verbs that only count, slowly.

`train` goes on from the last step in metrics.jsonl, a step every 20 ms; each line tells its process.  A folder named after $FAILS fails.
"""

import json
import os
import sys
import time
from pathlib import Path

from mt3_synth.evaluation.records import Evaluation, SongResult, read_song, write_evaluation, write_song

SONGS = ('a', 'b')


def value(words, start):
  return next(word.removeprefix(start).strip("'") for word in words if word.startswith(start))


def train(words):
  folder, steps = Path(value(words, '--gin.MODEL_DIR=')), int(value(words, '--gin.TRAIN_STEPS='))
  file = folder / 'metrics.jsonl'
  done = len(file.read_text().splitlines()) if file.exists() else 0
  if os.environ.get('FAILS') == folder.name:
    print('step 1\nthe corpus is gone')
    return 2
  for step in range(done + 1, steps + 1):
    time.sleep(0.02)
    with file.open('a') as log:
      log.write(json.dumps({'step': step, 'process': os.getpid(), 'gpus': os.environ.get('CUDA_VISIBLE_DEVICES')}) + '\n')
  return 0


def evaluate(words):
  out = Path(words[words.index('--out') + 1])
  write_evaluation(out, Evaluation('x', 'x', 'x', 'x', 'predicted', {}, 'x', 0, {}, {}, {}, SONGS, 1, 'x', 'x', 'x'))
  if os.environ.get('FAILS') == out.name:
    print('a song is gone')
    return 3
  for song in SONGS:
    if not read_song(out, song):
      write_song(out, SongResult(song, 'ok'))
  return 0


if __name__ == '__main__':
  sys.exit({'train': train, 'evaluate': evaluate}[sys.argv[1]](sys.argv[2:]))
