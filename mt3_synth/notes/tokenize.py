"""Notes -> rows of event tokens (MT3, ISMIR 2022, section 3.1; spec of the segments in `encode_segments`).

The events of a piece are written once, in `song_events`, as one long row.  A window is a slice of it: only shifts count from elsewhere, and
only the first event and the first program may need other tokens.  So consecutive segments for synthesis and windows at random starts for
training are one code, without a loop over events.
"""

import warnings
from collections.abc import Iterator
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
  """A piece's events in order of time; read-only, shared by all encodings of the piece.  E events, P pitched notes.

  Attributes:
    notes: what was encoded.
    codec: how.
    step: [E] grid step of each event.
    stream: [L] int32, the tokens of all events as one endless row from step 0.
    is_shift: [L] int32, 1 at the shifts of `stream`, which are not split.
    position: [E + 1] where each event begins in `stream`; the last entry is L.
    tokens: [E, 4] int32, each event's shift, program (PAD without), velocity and pitch, written or not.
    written: [E, 4] bool.
    next_program: [E + 1] the first event from this one on that has a program, E without.
    tied_on, tied_off: [P] steps of the pitched notes, in order of `tied_on`.
    tied_key: [P] program token * 2^16 + pitch token.
    longest: steps of the longest pitched note.
  """

  notes: Notes
  codec: Codec
  step: np.ndarray
  stream: np.ndarray
  is_shift: np.ndarray
  position: np.ndarray
  tokens: np.ndarray
  written: np.ndarray
  next_program: np.ndarray
  tied_on: np.ndarray
  tied_off: np.ndarray
  tied_key: np.ndarray
  longest: int


def song_events(notes: Notes, config: NotesConfig) -> SongEvents:
  """Writes a piece's events.  A pitched note of no length gets one step, or its off would come before its on."""
  codec = Codec(config)
  program = np.where(notes.is_drum, 0, map_programs(notes.program, config.programs))
  key = (notes.is_drum * 2**14 + program * 2**7 + notes.pitch).astype(np.uint16)
  by_key = np.argsort(key, kind='stable')
  onset, offset, drum, pitch = notes.onset[by_key], notes.offset[by_key], notes.is_drum[by_key], notes.pitch[by_key]
  offset = np.where(offset > onset, offset, onset + 1 / config.steps_per_second)
  loudness = np.maximum(velocity_to_bin(np.arange(128), config.velocity_bins), 1)[notes.velocity[by_key]]
  program_token = np.where(drum | (config.programs == 'flat'), PAD, codec.program + program[by_key])
  pitch_token = np.where(drum, codec.drum, codec.pitch) + pitch

  pitched = np.flatnonzero(~drum)
  time = np.concatenate([offset[pitched], onset])
  by_time = _argsort(time)
  note = np.concatenate([pitched, np.arange(len(drum))])[by_time]
  steps = time_to_step(time, config)
  step = steps[by_time]
  tokens = np.empty((len(step), 4), np.int32)
  tokens[:, 0] = codec.shift + step
  tokens[:, 1] = program_token[note]
  tokens[:, 2] = codec.velocity + np.where(by_time < len(pitched), 0, loudness[note])
  tokens[:, 3] = pitch_token[note]

  written = np.ones(tokens.shape, bool)
  written[1:, 0] = step[1:] != step[:-1]
  written[1:, 2] = tokens[1:, 2] != tokens[:-1, 2]
  has_program = np.flatnonzero(tokens[:, 1] != PAD)
  written[:, 1] = False
  written[has_program, 1] = _changes(tokens[has_program, 1])
  next_program = np.full(len(step) + 1, len(step))
  next_program[has_program] = has_program
  next_program = np.minimum.accumulate(next_program[::-1])[::-1]

  tied_on, tied_off = steps[len(pitched) :][pitched], steps[: len(pitched)]
  struck = note[(by_time >= len(pitched)) & ~drum[note]]
  by_on = (np.cumsum(~drum) - 1)[struck]
  at = np.flatnonzero(written)  # 4 * event + column of each token of the stream
  return SongEvents(
    notes=notes,
    codec=codec,
    step=step,
    stream=tokens.ravel()[at],
    is_shift=(at & 3 == 0).astype(np.int32),
    position=np.concatenate([[0], np.flatnonzero(at & 3 == 3) + 1]),
    tokens=tokens,
    written=written,
    next_program=next_program,
    tied_on=tied_on[by_on],
    tied_off=tied_off[by_on],
    tied_key=(program_token[pitched].astype(np.int64) * 2**16 + pitch_token[pitched])[by_on],
    longest=int((tied_off - tied_on).max(initial=0)),
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
  start, end = _window_steps(events.codec.config, start_frames, frames, mel)
  rows = np.full((len(start), length), PAD, np.int32)
  for i, row in enumerate(_encode(events, start, end)):
    if len(row) > length:
      where = f'the window at frame {np.ravel(start_frames)[i]} has {len(row)} tokens, room is for {length}'
      if too_long == 'drop':
        continue
      if too_long == 'error':
        raise InputError(f'notes: {where}; give a longer row, a shorter window, or let notes be left out')
      row, lost, total = _thin(events, start[i : i + 1], end[i : i + 1], length)
      warnings.warn(f'notes: {where}: {lost} of {total} notes, the quietest and shortest, are left out', InputWarning, stacklevel=2)
    rows[i, : len(row)] = row
  return rows


def count_tokens(
  events: SongEvents, start_frames: np.ndarray, frames: int | np.ndarray = 256, *, mel: MelConfig | None = None
) -> np.ndarray:
  """Tokens each window would take, EOS included, int [S]."""
  windows = _window_steps(events.codec.config, start_frames, frames, mel)
  return np.array([len(row) for row in _encode(events, *windows)], np.int64)


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


def _argsort(values):
  """A stable order of finite floats [E]: by their bits, 16 at a time, which is a radix sort and 2.5 times as fast as by comparisons."""
  bits = (values + 0.0).view(np.int64)  # + 0.0: no negative zeros
  bits ^= (bits >> 63) & np.int64(2**63 - 1)  # negative floats count down
  return np.lexsort((bits ^ np.int64(-(2**63))).astype('<i8').view('<u2').reshape(-1, 4).T)


def _changes(values):
  return np.concatenate([[True], values[1:] != values[:-1]]) if len(values) else np.zeros(0, bool)


def _encode(events: SongEvents, start: np.ndarray, end: np.ndarray) -> Iterator[np.ndarray]:
  """The tokens of each window of steps [start, end), without padding."""
  first_tied = np.searchsorted(events.tied_on, start - events.longest)
  end_tied = np.searchsorted(events.tied_on, start)
  first = np.searchsorted(events.step, start)
  last = np.searchsorted(events.step, end)
  for window in zip(*(bounds.tolist() for bounds in (start, end, first, last, first_tied, end_tied)), strict=True):
    yield _row(events, *window)


def _row(events, start, end, first, last, first_tied, end_tied):
  codec = events.codec
  parts, program = [], PAD
  if codec.config.ties:
    tied, program = _tie_section(events, start, first_tied, end_tied)
    parts += [tied, (codec.tie,)]
  if first < last:
    shifts_fit = end - start <= codec.config.max_shift_steps + 1

    def take(low, high):
      tokens = events.stream[low:high] - start * events.is_shift[low:high]
      return tokens if shifts_fit else _split_shifts(tokens, events.is_shift[low:high], codec)

    shift, own_program, velocity, pitch = events.tokens[first].tolist()
    rest = events.position[first + 1]
    if shift > codec.shift + start:
      parts.append(_one_shift(shift - start, codec))
    parts.append((own_program, velocity, pitch) if own_program not in (PAD, program) else (velocity, pitch))
    speaker = events.next_program[first]
    if first < speaker < last:  # its program may stand where the stream has none, or the other way round
      at = events.position[speaker] + events.written[speaker, 0]
      parts.append(take(rest, at))
      if events.tokens[speaker, 1] != program:
        parts.append(events.tokens[speaker, 1:2])
      rest = at + events.written[speaker, 1]
    parts.append(take(rest, events.position[last]))
  parts.append((EOS,))
  return np.concatenate(parts, dtype=np.int32)


def _one_shift(token, codec):
  whole, rest = divmod(token - codec.shift - 1, codec.config.max_shift_steps)
  return [codec.shift + codec.config.max_shift_steps] * whole + [codec.shift + rest + 1]


def _split_shifts(tokens, is_shift, codec):
  """Tokens with each shift over the longest as several: the longest ones, then the rest."""
  longest = codec.config.max_shift_steps
  pieces = np.where(is_shift, np.maximum(-(-(tokens - codec.shift) // longest), 1), 1)
  tokens = np.repeat(tokens, pieces)
  final = np.cumsum(pieces) - 1
  inner = np.ones(len(tokens), bool)
  inner[final] = False
  tokens[final] -= (pieces - 1) * longest
  tokens[inner] = codec.shift + longest
  return tokens


def _tie_section(events, start, low, high):
  """Programs and pitches of what sounds when a window starts, and the last program (PAD without)."""
  keys = np.sort(events.tied_key[low:high][events.tied_off[low:high] >= start])
  if not len(keys):
    return keys, PAD
  tokens = np.empty((len(keys), 2), np.int64)
  programs, pitches = np.right_shift(keys, 16, out=tokens[:, 0]), np.bitwise_and(keys, 0xFFFF, out=tokens[:, 1])
  written = np.ones(tokens.shape, bool)
  np.not_equal(keys[1:], keys[:-1], out=written[1:, 1])
  np.not_equal(programs[1:], programs[:-1], out=written[1:, 0])
  if programs[0] == PAD:  # flat: no programs
    return pitches[written[:, 1]], PAD
  return tokens[written], int(programs[-1])


def _thin(events, start, end, length):
  """One row without the notes that do not fit, how many those are, and of how many."""
  notes, config = events.notes, events.codec.config
  on, off = time_to_step(notes.onset, config), time_to_step(notes.offset, config)
  heard = notes.select((on < end) & ((on >= start) | (~notes.is_drum & (off >= start))))
  heard = heard.select(np.lexsort((-(heard.offset - heard.onset), -heard.velocity)))
  fits, too_many, best = -1, len(heard), None
  while too_many - fits > 1:
    kept = (fits + too_many) // 2
    row = next(_encode(song_events(heard.select(np.arange(kept)), config), start, end))
    if len(row) <= length:
      fits, best = kept, row
    else:
      too_many = kept
  if best is None:
    raise InputError(f'notes: a row of {length} tokens has no room for any event; give a longer row')
  return best, len(heard) - fits, len(heard)
