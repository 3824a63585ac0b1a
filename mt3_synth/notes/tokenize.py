"""Notes -> rows of event tokens (MT3, ISMIR 2022, section 3.1; spec of the segments in `encode_segments`).

The events of a piece are sorted once, in `song_events`; any windows of it are then encoded together by array operations, no loop over
events: consecutive segments for synthesis and evaluation, windows at random starts for training.
"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mt3_synth.config import MelConfig, NotesConfig
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes.codec import EOS, PAD, Codec, frame_to_step, num_frames, time_to_step, velocity_to_bin
from mt3_synth.notes.note_list import Notes
from mt3_synth.notes.programs import map_programs

TooLong = Literal['thin', 'drop', 'error']


@dataclass(frozen=True)
class SongEvents:
  """A piece's events in order of time, and its sounding notes; read-only, shared by all encodings of the piece.

  `*_token` are ids, 0 where an event has no such token.  E events, P pitched notes.

  Attributes:
    notes: what was encoded.
    config: how.
    step: [E] grid step of each event.
    program_token, velocity_token, pitch_token: [E].
    new_step, new_velocity, new_program: [E] bool, whether the value differs from that of the last event which has one.
    last_program: [E] index of the last event before this one with a program token, -1 without.
    tied_on, tied_off: [P] steps of pitched notes, sorted by (program, pitch).
    tied_program_token, tied_pitch_token: [P].
  """

  notes: Notes
  config: NotesConfig
  step: np.ndarray
  program_token: np.ndarray
  velocity_token: np.ndarray
  pitch_token: np.ndarray
  new_step: np.ndarray
  new_velocity: np.ndarray
  new_program: np.ndarray
  last_program: np.ndarray
  tied_on: np.ndarray
  tied_off: np.ndarray
  tied_program_token: np.ndarray
  tied_pitch_token: np.ndarray


def song_events(notes: Notes, config: NotesConfig) -> SongEvents:
  """Sorts a piece's events.  A pitched note of no length gets one step, or its off would come before its on."""
  codec = Codec(config)
  program = np.where(notes.is_drum, 0, map_programs(notes.program, config.programs))
  order = np.lexsort((notes.pitch, program, notes.is_drum))
  sorted_notes, program = notes.select(order), program[order]
  drum = sorted_notes.is_drum
  pitched = np.flatnonzero(~drum)
  onset, offset = sorted_notes.onset, sorted_notes.offset
  offset = np.where(offset > onset, offset, onset + 1 / config.steps_per_second)

  time = np.concatenate([offset[pitched], onset])
  off = np.arange(len(time)) < len(pitched)
  note = np.concatenate([pitched, np.arange(len(drum))])
  by_time = np.argsort(time, kind='stable')
  time, off, note = time[by_time], off[by_time], note[by_time]

  written_program = np.zeros(len(drum), np.int32) if config.programs == 'flat' else np.where(drum, PAD, codec.program + program)
  pitch_token = np.where(drum, codec.drum, codec.pitch) + sorted_notes.pitch
  loudness = np.maximum(velocity_to_bin(sorted_notes.velocity, config.velocity_bins), 1)
  program_token = written_program[note]
  velocity_token = codec.velocity + np.where(off, 0, loudness[note])
  step = time_to_step(time, config)
  has_program = np.where(program_token != PAD, np.arange(len(note)), -1)
  last_program = np.concatenate([[-1], np.maximum.accumulate(has_program)[:-1]]) if len(note) else has_program
  return SongEvents(
    notes=notes,
    config=config,
    step=step,
    program_token=program_token,
    velocity_token=velocity_token,
    pitch_token=pitch_token[note],
    new_step=_changes(step),
    new_velocity=_changes(velocity_token),
    new_program=(last_program < 0) | (program_token[last_program] != program_token),
    last_program=last_program,
    tied_on=time_to_step(onset[pitched], config),
    tied_off=time_to_step(offset[pitched], config),
    tied_program_token=written_program[pitched],
    tied_pitch_token=pitch_token[pitched],
  )


def encode_segments(
  events: SongEvents,
  start_frames: np.ndarray,
  frames: int | np.ndarray = 256,
  *,
  length: int = 2048,
  too_long: TooLong = 'thin',
  mel: MelConfig | None = None,
) -> np.ndarray:
  """Windows of a piece as token rows.

  A row is: the tie section (with `config.ties`: the notes sounding when the window starts, before any event in it, by program and pitch,
  then the tie token); the events whose rounded step lies in the window, each [shift] [program] [velocity] pitch; EOS; PAD.  A shift is the
  number of steps since the window's start; it stands where the step changed.  Programs and velocities stand where they changed.

  Args:
    events: of `song_events`.
    start_frames: [S] first frame of each window, any order, overlap allowed.
    frames: frames of each window, one number or [S].
    length: tokens a row, N.
    too_long: what to do with a row of more tokens.  'thin' leaves out notes, the quietest first, of equal velocity the shortest, and warns
      with their number; 'drop' returns an empty row (PAD only, not even EOS), for training to skip and count; 'error' raises.
    mel: what a frame is; the defaults where None.

  Returns:
    int32 [S, N].

  Raises:
    InputError: a row is too long and `too_long` is 'error', or has no room for one note.

  Warns:
    InputWarning: notes were left out.
  """
  start, end = _window_steps(events.config, start_frames, frames, mel)
  rows, counts = _encode(events, start, end, length)
  for row in np.flatnonzero(counts > length):
    where = f'the window at frame {np.asarray(start_frames).ravel()[row]} has {counts[row]} tokens, room is for {length}'
    if too_long == 'error':
      raise InputError(f'notes: {where}; give a longer row, a shorter window, or let notes be left out')
    rows[row] = PAD
    if too_long == 'thin':
      rows[row], lost, total = _thin(events, start[row : row + 1], end[row : row + 1], length)
      warnings.warn(f'notes: {where}: {lost} of {total} notes, the quietest and shortest, are left out', InputWarning, stacklevel=2)
  return rows


def count_tokens(
  events: SongEvents, start_frames: np.ndarray, frames: int | np.ndarray = 256, *, mel: MelConfig | None = None
) -> np.ndarray:
  """Tokens each window would take, EOS included, int [S]."""
  return _encode(events, *_window_steps(events.config, start_frames, frames, mel), 0)[1]


def encode_song(
  events: SongEvents,
  total_frames: int | None = None,
  frames: int = 256,
  *,
  length: int = 2048,
  too_long: TooLong = 'thin',
  mel: MelConfig | None = None,
) -> np.ndarray:
  """A whole piece as consecutive segments, int32 [ceil(total_frames / frames), N]; arguments as of `encode_segments`.

  `total_frames`: by default those up to the last note's end, `num_frames(notes.duration)`.  The last segment also takes what rounds past
  its end.
  """
  total = num_frames(events.notes.duration, mel) if total_frames is None else total_frames
  starts = np.arange(0, total, frames)
  lengths = np.full(len(starts), frames)
  if total_frames is None and len(starts):
    lengths[-1] += 1
  return encode_segments(events, starts, lengths, length=length, too_long=too_long, mel=mel)


def _window_steps(config, start_frames, frames, mel):
  mel = mel or MelConfig()
  first = np.atleast_1d(np.asarray(start_frames, np.int64))
  return frame_to_step(first, config, mel), frame_to_step(first + frames, config, mel)


def _changes(values):
  return np.concatenate([[True], values[1:] != values[:-1]]) if len(values) else np.zeros(0, bool)


def _runs(starts, counts):
  """The integers start, start + 1, ... of each run, joined, and the run each belongs to."""
  run = np.repeat(np.arange(len(counts)), counts)
  first = np.cumsum(counts) - counts
  return np.arange(len(run)) - first[run] + starts[run], run


def _encode(events, start, end, length):
  """Rows [S, length] for windows of steps [start, end), and the tokens each needs [S]; rows needing more are garbage."""
  codec = Codec(events.config)
  tied, tied_row, last_tied_program = _tie_section(events, start)
  tie_new_program = events.tied_program_token[tied] != PAD
  same_row = tied_row[1:] == tied_row[:-1]
  tie_new_program[1:] &= ~(same_row & (events.tied_program_token[tied[1:]] == events.tied_program_token[tied[:-1]]))

  low = np.searchsorted(events.step, start)
  event, row = _runs(low, np.maximum(np.searchsorted(events.step, end) - low, 0))
  first = event == low[row]
  shift = np.where(events.new_step[event] | first, events.step[event] - start[row], 0)
  shifts = -(-shift // events.config.max_shift_steps)
  new_velocity = events.new_velocity[event] | first
  program = events.program_token[event]
  inside = events.last_program[event] >= low[row]
  new_program = (program != PAD) & np.where(inside, events.new_program[event], program != last_tied_program[row])

  # Each piece of a row is (row, number of tokens); tokens of ties, then the tie token, then events, then EOS.
  tie_size = 1 + tie_new_program
  event_size = shifts + new_program + new_velocity + 1
  ties = np.bincount(tied_row, tie_size, len(start)).astype(np.int64) + events.config.ties
  counts = ties + np.bincount(row, event_size, len(start)).astype(np.int64) + 1
  rows = np.full((len(start), max(length, 1)), PAD, np.int32)
  kept = counts <= length

  def write(mask, rows_of, position, values):
    mask = mask & kept[rows_of]
    rows[rows_of[mask], position[mask]] = values[mask]

  tie_end = _ends(tie_size, tied_row)
  write(tie_new_program, tied_row, tie_end - 2, events.tied_program_token[tied])
  write(np.ones(len(tied), bool), tied_row, tie_end - 1, events.tied_pitch_token[tied])
  every = np.arange(len(start))
  if events.config.ties:
    write(np.ones(len(start), bool), every, ties - 1, np.full(len(start), codec.tie))
  event_end = _ends(event_size, row) + ties[row]
  write(np.ones(len(event), bool), row, event_end - 1, events.pitch_token[event])
  write(new_velocity, row, event_end - 2, events.velocity_token[event])
  write(new_program, row, event_end - 2 - new_velocity, program)
  shift_position = event_end - event_size
  for n in range(int(shifts.max(initial=0))):  # one turn unless a window is longer than the longest shift
    part = np.clip(shift - n * events.config.max_shift_steps, 0, events.config.max_shift_steps)
    write(n < shifts, row, shift_position + n, codec.shift + part)
  write(np.ones(len(start), bool), every, counts - 1, np.full(len(start), EOS))
  return rows, counts


def _ends(sizes, row):
  """Where each piece ends within its row, pieces of a row standing together."""
  total = np.cumsum(sizes)
  before = np.concatenate([[0], total])[np.searchsorted(row, row)]
  return total - before


def _tie_section(events, start):
  """Indices of the notes each window names in its tie section, their windows, and each window's last program token there (0: none)."""
  last_program = np.zeros(len(start), np.int32)
  if not events.config.ties or not len(start):
    return np.zeros(0, np.int64), np.zeros(0, np.int64), last_program
  order = np.argsort(start, kind='stable')
  low = np.searchsorted(start[order], events.tied_on, 'right')  # a note ties into windows that start after its on ...
  count = np.maximum(np.searchsorted(start[order], events.tied_off, 'right') - low, 0)  # ... and not after its off
  position, note = _runs(low, count)
  row = order[position]
  by_row = np.argsort(row, kind='stable')  # notes stay in order of program and pitch
  note, row = note[by_row], row[by_row]
  key = events.tied_program_token[note].astype(np.int64) * 2**16 + events.tied_pitch_token[note]
  unique = _changes(row) | _changes(key)
  note, row = note[unique], row[unique]
  last_program[row] = events.tied_program_token[note]  # the last assignment to a row stays
  return note, row, last_program


def _thin(events, start, end, length):
  """One row without the notes that do not fit, how many those are, and of how many."""
  notes = events.notes
  on, off = time_to_step(notes.onset, events.config), time_to_step(notes.offset, events.config)
  heard = notes.select((on < end) & ((on >= start) | (~notes.is_drum & (off >= start))))
  heard = heard.select(np.lexsort((-(heard.offset - heard.onset), -heard.velocity)))
  fits, too_many, best = -1, len(heard), None
  while too_many - fits > 1:
    kept = (fits + too_many) // 2
    rows, counts = _encode(song_events(heard.select(np.arange(kept)), events.config), start, end, length)
    if counts[0] <= length:
      fits, best = kept, rows[0]
    else:
      too_many = kept
  if best is None:
    raise InputError(f'notes: a row of {length} tokens has no room for any event; give a longer row')
  return best, len(heard) - fits, len(heard)
