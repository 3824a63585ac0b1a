"""Tokens a second: the vectorised encoder against one event at a time in plain Python, on the same piece.

Two encoders in plain Python bound what "one event at a time" may mean: the procedure as MT3 describes it (each event looked up in the
vocabulary, one shift a step, then run-length encoding; `encode_stepwise`), and the tightest loop we could write (`encode_tightly`).
`python -m benchmarks.tokenizer` prints all rates and ratios, after checking that all give the same rows.
"""

import bisect
import math
import time
from typing import Any

import numpy as np

from mt3_synth.config import NotesConfig
from mt3_synth.notes import EOS, PAD, Codec, Notes, encode_segments, encode_song, num_frames, song_events

FRAMES, LENGTH = 256, 2048
MINUTES = 5
WINDOWS = 200
ROUNDS, CALLS = 5, 4
NOTES_PER_SECOND = 48


def dense_piece(seconds: float = 60 * MINUTES, seed: int = 0) -> Notes:
  """Eight instruments and drums, some 48 notes a second; no key sounds twice at once."""
  rng = np.random.default_rng(seed)
  count = int(seconds * NOTES_PER_SECOND)
  onset = np.sort(rng.uniform(0, seconds - 3, count))
  return Notes(
    onset=onset,
    offset=onset + rng.gamma(2, 0.3, count).clip(0.02, 3),
    pitch=rng.integers(30, 100, count),
    velocity=rng.integers(20, 127, count),
    program=rng.choice([0, 24, 32, 40, 48, 56, 64, 73], count),
    is_drum=rng.random(count) < 0.15,
  ).trim_overlaps()


def encode_stepwise(notes: list[tuple], config: NotesConfig) -> list[list[int]]:
  """The rows of a piece, without padding.  `notes`: (onset, offset, pitch, velocity, program, is_drum)."""
  vocabulary, events, ties = _Vocabulary(config), _sorted_events(notes), set()
  segments, steps, rows, at = _segments(notes), FRAMES * config.steps_per_second // 50, [], 0
  for segment in range(segments):
    end = (segment + 1) * steps if segment < segments - 1 else math.inf
    row, at = _stepwise_row(events, at, ties, segment * steps, end, config, vocabulary)
    rows.append(row)
  return rows


def _stepwise_row(events, at, ties, step, end, config, vocabulary):
  """The row from event `at` to step `end`, and the event after it; `ties` becomes what sounds then."""
  encode = vocabulary.encode
  tokens = [token for program, pitch in sorted(ties) for token in (encode('program', program), encode('pitch', pitch))]
  tokens.append(encode('tie', 0))
  while at < len(events):
    seconds, on, (_, _, pitch, loudness, program, is_drum) = events[at]
    event_step = round(seconds * config.steps_per_second)
    if event_step >= end:
      break
    while step < event_step:
      tokens.append(encode('shift', 1))
      step += 1
    velocity = encode('velocity', math.ceil(config.velocity_bins * loudness / 127) if on else 0)
    if is_drum:
      tokens += [velocity, encode('drum', pitch)]
    else:
      tokens += [encode('program', program), velocity, encode('pitch', pitch)]
      (ties.add if on else ties.discard)((program, pitch))
    at += 1
  return _run_lengths(tokens, encode, vocabulary.decode, config), at


class _Vocabulary:
  """Ids looked up range by range."""

  def __init__(self, config: NotesConfig):
    starts = Codec(config).starts.tolist()
    names = ('shift', 'pitch', 'velocity', 'tie', 'program', 'drum')
    self.ranges = list(zip(names, starts[:-1], starts[1:], strict=True))

  def encode(self, kind, value):
    for name, first, end in self.ranges:
      if name == kind:
        assert 0 <= value < end - first
        return first + value
    raise KeyError(kind)

  def decode(self, token):
    for name, first, end in self.ranges:
      if first <= token < end:
        return name, token - first
    raise KeyError(token)


def windows_stepwise(events: list, prepared: list[tuple], config: NotesConfig) -> list[list[int]]:
  """Rows of windows given as (first event, what sounds, start and end step): all but the writing is done before."""
  vocabulary = _Vocabulary(config)
  return [_stepwise_row(events, at, set(ties), start, end, config, vocabulary)[0] for at, ties, start, end in prepared]


def _prepare_windows(notes, events, starts, config):
  steps = [round(event[0] * config.steps_per_second) for event in events]
  prepared = []
  for start in (2 * starts).tolist():
    sounds = {(n[4], n[2]) for n in notes if not n[5] and round(100 * n[0]) < start <= round(100 * n[1])}
    prepared.append((bisect.bisect_left(steps, start), sounds, start, start + 2 * FRAMES))
  return prepared


def _run_lengths(tokens, encode, decode, config):
  row, state, waiting, total = [], {}, False, 0
  for token in tokens:
    kind, value = decode(token)
    if kind == 'shift':
      total += value
      waiting = True
      continue
    if kind in ('program', 'velocity'):
      if state.get(kind) == value:
        continue
      state[kind] = value
    left = total if waiting else 0
    while left > 0:
      row.append(encode('shift', min(left, config.max_shift_steps)))
      left -= config.max_shift_steps
    waiting = False
    row.append(token)
  return [*row, EOS]


def encode_tightly(notes: list[tuple], config: NotesConfig) -> list[list[int]]:
  """The same in one pass, with nothing looked up."""
  codec = Codec(config)
  shift_id, pitch_id, velocity_id, tie_id, program_id, drum_id = (int(each) for each in codec.starts[:6])
  events, sounding, segments = _sorted_events(notes), set(), _segments(notes)
  steps = FRAMES * config.steps_per_second // 50
  rows, at = [], 0
  for segment in range(segments):
    row, program, velocity, step = [], None, None, segment * steps
    for tied_program, pitch in sorted(sounding):
      if tied_program != program:
        program = tied_program
        row.append(program_id + program)
      row.append(pitch_id + pitch)
    row.append(tie_id)
    while at < len(events):
      seconds, on, (_, _, pitch, loudness, of_program, is_drum) = events[at]
      event_step = round(seconds * config.steps_per_second)
      if event_step >= (segment + 1) * steps and segment < segments - 1:
        break
      if event_step != step:
        step = event_step
        row.append(shift_id + step - segment * steps)  # a segment is shorter than the longest shift
      if not is_drum and of_program != program:
        program = of_program
        row.append(program_id + program)
      this_velocity = math.ceil(config.velocity_bins * loudness / 127) if on else 0
      if this_velocity != velocity:
        velocity = this_velocity
        row.append(velocity_id + velocity)
      row.append((drum_id if is_drum else pitch_id) + pitch)
      if not is_drum:
        (sounding.add if on else sounding.discard)((of_program, pitch))
      at += 1
    rows.append([*row, EOS])
  return rows


def _sorted_events(notes):
  notes = sorted(notes, key=lambda note: (note[5], note[4], note[2]))
  events = [(note[1], False, note) for note in notes if not note[5]] + [(note[0], True, note) for note in notes]
  return sorted(events, key=lambda event: event[0])


def _segments(notes):
  return -(-num_frames(max(note[1] for note in notes)) // FRAMES)


def run(minutes: float = MINUTES) -> dict:
  """Measures the encoders by processor time, the best of some runs each: by the clock, other work would slow the long runs most.

  "song" is from notes to the rows of the whole piece, sorting included; "windows" is the training path: windows at random starts of a
  piece whose events were prepared before (in plain Python too, where even the sounding notes of each window are given).

  Returns:
    seconds of music, notes, tokens; tokens a second of each encoder, and the vectorised one's ratios to those in plain Python: of songs
    for 127 velocity bins and for one.

  Raises:
    AssertionError: the encoders disagree.
  """
  notes = dense_piece(60 * minutes)
  return {
    'seconds_of_music': 60 * minutes,
    'notes': len(notes),
    **_songs(notes, NotesConfig(velocity_bins=127), 'song_127_bins'),
    **_songs(notes, NotesConfig(velocity_bins=1), 'song_1_bin'),
    **_windows(notes, NotesConfig(velocity_bins=127)),
  }


def _songs(notes, config, name):
  plain_notes = _plain(notes)
  (step_seconds, stepwise), (tight_seconds, tight), (seconds, rows) = _best(
    lambda: encode_stepwise(plain_notes, config),
    lambda: encode_tightly(plain_notes, config),
    lambda: encode_song(song_events(notes, config), frames=FRAMES, length=LENGTH, too_long='error'),
  )
  assert stepwise == tight == _unpadded(rows), 'the encoders disagree on the song'
  tokens = int((rows != PAD).sum())
  return {
    f'{name}_tokens': tokens,
    f'{name}_stepwise_tokens_per_second': tokens / step_seconds,
    f'{name}_tight_loop_tokens_per_second': tokens / tight_seconds,
    f'{name}_vectorised_tokens_per_second': tokens / seconds,
    f'{name}_ratio_to_stepwise': step_seconds / seconds,
    f'{name}_ratio_to_tight_loop': tight_seconds / seconds,
  }


def _windows(notes, config):
  events, plain_events = song_events(notes, config), _sorted_events(_plain(notes))
  starts = np.random.default_rng(1).integers(0, num_frames(notes.duration) - FRAMES, WINDOWS)
  prepared = _prepare_windows(_plain(notes), plain_events, starts, config)
  (step_seconds, stepwise), (one_seconds, one), (seconds, rows) = _best(
    lambda: windows_stepwise(plain_events, prepared, config),
    lambda: [encode_segments(events, starts[i : i + 1], FRAMES, length=LENGTH, too_long='error')[0] for i in range(WINDOWS)],
    lambda: encode_segments(events, starts, FRAMES, length=LENGTH, too_long='error'),
  )
  assert stepwise == _unpadded(np.stack(one)) == _unpadded(rows), 'the encoders disagree on windows'
  tokens = int((rows != PAD).sum())
  return {
    'windows_stepwise_tokens_per_second': tokens / step_seconds,
    'windows_one_a_call_tokens_per_second': tokens / one_seconds,
    'windows_together_tokens_per_second': tokens / seconds,
    'windows_one_a_call_ratio_to_stepwise': step_seconds / one_seconds,
    'windows_together_ratio_to_stepwise': step_seconds / seconds,
  }


def _plain(notes):
  columns = (notes.onset, notes.offset, notes.pitch, notes.velocity, notes.program, notes.is_drum)
  return list(zip(*(column.tolist() for column in columns), strict=True))


def _unpadded(rows):
  return [row[row != PAD].tolist() for row in rows]


def _best(*functions) -> list[tuple[float, Any]]:
  """(seconds, result) of each function, the fastest of its calls: some in each round, so that all find their data in the caches.

  Memory is as in any process that has read audio or computed a mel: once a large array was freed, glibc keeps what numpy gives back.  In a
  fresh process it returns it after each call, and the page faults of the next one take as long as all else.
  """
  np.empty(2**21)
  times, results = [math.inf] * len(functions), [function() for function in functions]
  for _ in range(ROUNDS):
    for i, function in enumerate(functions):
      for _ in range(CALLS):
        start = time.thread_time()
        function()
        times[i] = min(times[i], time.thread_time() - start)
  return list(zip(times, results, strict=True))


def main():
  for name, value in run().items():
    print(f'{name:44} {value:,.1f}')


if __name__ == '__main__':
  main()
