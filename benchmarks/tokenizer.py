"""Tokens a second: the vectorised encoder against one event at a time in plain Python, on the same piece.

Two encoders in plain Python bound what "one event at a time" may mean: the procedure as MT3 describes it (each event looked up in the
vocabulary, one shift a step, then run-length encoding; `encode_stepwise`), and the tightest loop we could write (`encode_tightly`).
`python -m benchmarks.tokenizer` prints all rates and ratios, after checking that all give the same rows.
"""

import math
import time

import numpy as np

from mt3_synth.config import NotesConfig
from mt3_synth.notes import EOS, PAD, Codec, Notes, encode_segments, encode_song, num_frames, song_events

FRAMES, LENGTH = 256, 2048
MINUTES = 5
NOTES_PER_SECOND = 50


def dense_piece(seconds: float = 60 * MINUTES, seed: int = 0) -> Notes:
  """Eight instruments and drums, some 50 notes a second; no key sounds twice at once."""
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
  codec = Codec(config)
  names = ('shift', 'pitch', 'velocity', 'tie', 'program', 'drum')
  ranges = [(name, int(first), int(end)) for name, first, end in zip(names, codec.starts[:-1], codec.starts[1:], strict=True)]

  def encode(kind, value):
    for name, first, end in ranges:
      if name == kind:
        assert 0 <= value < end - first
        return first + value
    raise KeyError(kind)

  def decode(token):
    for name, first, end in ranges:
      if first <= token < end:
        return name, token - first
    raise KeyError(token)

  def note_events(note, on):
    _, _, pitch, loudness, program, is_drum = note
    velocity = encode('velocity', math.ceil(config.velocity_bins * loudness / 127) if on else 0)
    if is_drum:
      return [velocity, encode('drum', pitch)]
    return [encode('program', program), velocity, encode('pitch', pitch)]

  events, ties, segments = _sorted_events(notes), set(), _segments(notes)
  steps_a_segment = FRAMES * config.steps_per_second // 50
  rows, at = [], 0
  for segment in range(segments):
    tokens = [token for program, pitch in sorted(ties) for token in (encode('program', program), encode('pitch', pitch))]
    tokens.append(encode('tie', 0))
    step = segment * steps_a_segment
    while at < len(events):
      seconds, on, note = events[at]
      event_step = round(seconds * config.steps_per_second)
      if event_step >= (segment + 1) * steps_a_segment and segment < segments - 1:
        break
      while step < event_step:
        tokens.append(encode('shift', 1))
        step += 1
      tokens += note_events(note, on)
      if not note[5]:
        (ties.add if on else ties.discard)((note[4], note[2]))
      at += 1
    rows.append(_run_lengths(tokens, encode, decode, config))
  return rows


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
  """Measures the encoders from notes to rows, the best of some runs each.

  Returns:
    seconds of music, notes, tokens; tokens a second of each encoder; the vectorised one's ratio to each in plain Python; and tokens a
    second of windows at random starts of a piece whose events are prepared, as in training.

  Raises:
    AssertionError: the encoders disagree.
  """
  notes = dense_piece(60 * minutes)
  config = NotesConfig(velocity_bins=127)
  columns = (notes.onset, notes.offset, notes.pitch, notes.velocity, notes.program, notes.is_drum)
  rows_of_notes = list(zip(*(column.tolist() for column in columns), strict=True))
  step_seconds, stepwise = _best(lambda: encode_stepwise(rows_of_notes, config), 2)
  tight_seconds, tight = _best(lambda: encode_tightly(rows_of_notes, config), 3)
  seconds, rows = _best(lambda: encode_song(song_events(notes, config), frames=FRAMES, length=LENGTH, too_long='error'), 20)
  assert stepwise == tight == [row[row != PAD].tolist() for row in rows], 'the encoders disagree'
  events = song_events(notes, config)
  starts = np.random.default_rng(1).integers(0, num_frames(notes.duration) - FRAMES, 500)
  window_seconds, windows = _best(lambda: encode_segments(events, starts, FRAMES, length=LENGTH, too_long='drop'), 5)
  tokens = int((rows != PAD).sum())
  return {
    'seconds_of_music': 60 * minutes,
    'notes': len(notes),
    'tokens': tokens,
    'stepwise_tokens_per_second': tokens / step_seconds,
    'tight_loop_tokens_per_second': tokens / tight_seconds,
    'vectorised_tokens_per_second': tokens / seconds,
    'ratio_to_stepwise': step_seconds / seconds,
    'ratio_to_tight_loop': tight_seconds / seconds,
    'random_window_tokens_per_second': int((windows != PAD).sum()) / window_seconds,
  }


def _best(function, runs):
  times, result = [], function()
  for _ in range(runs):
    start = time.perf_counter()
    result = function()
    times.append(time.perf_counter() - start)
  return min(times), result


def main():
  for name, value in run().items():
    print(f'{name:32} {value:,.1f}')


if __name__ == '__main__':
  main()
