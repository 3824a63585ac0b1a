"""Notes -> rows of event tokens (MT3, ISMIR 2022, section 3.1; spec of the segments in `encode_segments`).

The events of a piece are written once, in `song_events`, as one long row.  A window is a slice of it: only shifts count from elsewhere, and
only the first event and the first program may need other tokens.  So consecutive segments for synthesis and windows at random starts for
training are one code, without a loop over events.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from mt3_synth.config import MelConfig, NotesConfig
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes.codec import EOS, PAD, Codec, frame_to_step, num_frames, time_to_step, velocity_to_bin
from mt3_synth.notes.note_list import Notes
from mt3_synth.notes.programs import map_programs

TooLong = Literal['thin', 'drop', 'error']


_MARK = 3 * 2**29  # on shifts of the stream: from 2^30 on for all steps within 2^29 of 0
_DRUM = 2**14  # in keys of notes: after all pairs of program and pitch
_BITS = 20  # of a token in keys of tie sections
_LAST = 2**_BITS - 1  # after all programs


@dataclass(frozen=True)
class SongEvents:
  """A piece's events in order of time; read-only, shared by all encodings of the piece.  E events, P pitched notes.

  Attributes:
    notes: what was encoded.
    codec: how.
    tokens: [E, 4] int32, each event's shift, program (PAD without), velocity (PAD of onsets alone) and pitch, written or not.
    written: [E, 4] bool.
    step: [E] grid step of each event.
    stream: [L] int32, the written tokens of all events as one endless row from step 0.
    position: [E + 1] where each event begins in `stream`; the last entry is L.
    tied_on, tied_off: [P] steps of the pitched notes, in order of `tied_on`.
    tied_key: [P] int64, program token * 2^20 + pitch token.
    longest: steps of the longest pitched note.
  """

  notes: Notes
  codec: Codec
  tokens: np.ndarray
  written: np.ndarray
  step: np.ndarray
  stream: np.ndarray
  position: np.ndarray
  tied_on: np.ndarray
  tied_off: np.ndarray
  tied_key: np.ndarray
  longest: int


def song_events(notes: Notes, config: NotesConfig) -> SongEvents:
  """Writes a piece's events.  A pitched note of no length gets one step, or its off would come before its on."""
  codec = Codec(config)
  pitched, time, tokens = _unordered(notes, codec)
  step = time_to_step(time, config)
  np.add(step, _MARK + codec.shift, out=tokens[:, 0], casting='unsafe')
  on, off = step[pitched : 2 * pitched], step[:pitched]
  key = (tokens[:pitched, 1].astype(np.int64) << _BITS) + tokens[:pitched, 3]

  order = _argsort(time)
  struck = order.take(np.flatnonzero((order >= pitched) & (order < 2 * pitched))) - pitched
  mute = np.flatnonzero(order >= (0 if config.programs == 'flat' else 2 * pitched))  # has no program
  tokens = tokens.take(order, axis=0)
  written = _written(tokens, mute)
  position = np.zeros(len(time) + 1, np.int32)
  np.bitwise_count(written.view(np.uint32)).cumsum(dtype=np.int32, out=position[1:])
  return SongEvents(
    notes=notes,
    codec=codec,
    tokens=tokens,
    written=written,
    step=step.take(order),
    stream=np.compress(written.ravel(), tokens.ravel()),
    position=position,
    tied_on=on.take(struck),
    tied_off=off.take(struck),
    tied_key=key.take(struck),
    longest=int((off - on).max(initial=0)),
  )


def _unordered(notes, codec):
  """All offs, then all ons, both by drum, program and pitch: P, times [2P + drums] and tokens [2P + drums, 4] without shifts.

  Of onsets alone P is 0: all are events like those of drums, without offs.
  """
  config = codec.config
  granularity = 'flat' if config.onsets_only else config.programs
  key = np.where(notes.is_drum, _DRUM, map_programs(notes.program, granularity) << 7) + notes.pitch
  by_key = np.argsort(key.astype(np.uint16), kind='stable')
  key, onset = key.take(by_key), notes.onset.take(by_key)
  pitched = int(key.searchsorted(_DRUM))
  offset = notes.offset.take(by_key[:pitched])
  offset = np.where(offset > onset[:pitched], offset, onset[:pitched] + 1 / config.steps_per_second)
  loudness = np.maximum(velocity_to_bin(np.arange(128), config.velocity_bins), 1)

  tokens = np.empty((pitched + len(key), 4), np.int32)
  offs, ons, drums = tokens[:pitched], tokens[pitched:], tokens[2 * pitched :]
  ons[:, 1] = PAD if config.programs == 'flat' else codec.program + (key >> 7)
  drums[:, 1] = PAD
  ons[:, 2] = (codec.velocity + loudness).take(notes.velocity.take(by_key))
  ons[:, 3] = codec.pitch + (key & 127)
  drums[:, 3] += codec.drum - codec.pitch
  if config.onsets_only:
    ons[:, 1:3] = PAD
    return 0, onset, ons
  offs[:] = ons[:pitched]
  offs[:, 2] = codec.velocity
  return pitched, np.concatenate([offset, onset]), tokens


def _written(tokens, mute):
  """Which tokens of all events [E, 4] stand in a row: all pitches, and what changed.  `mute`: the events without a program."""
  written = np.ones(tokens.shape, bool)
  np.not_equal(tokens[1:], tokens[:-1], out=written[1:])
  written[:, 3] = True
  written[mute, 1] = False
  follows = np.flatnonzero(np.diff(mute, append=len(tokens)) > 1)  # mute events that one with a program follows
  after = mute[follows] + 1
  before = mute[np.append(0, follows[:-1] + 1)[: len(follows)]] - 1
  written[after, 1] = (before < 0) | (tokens[after, 1] != tokens[before, 1])
  return written


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
  number of steps since the window's start; it stands where the step changed.  Programs and velocities stand where they changed.  With
  `config.onsets_only` events are the onsets, each [shift] pitch (or drum).

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
  rows = np.zeros((len(start), length), np.int32)  # PAD
  for i, pieces in enumerate(_encode(events, start, end)):
    tokens = _length(pieces)
    if tokens > length:
      where = f'the window at frame {np.ravel(start_frames)[i]} has {tokens} tokens, room is for {length}'
      if too_long == 'drop':
        continue
      if too_long == 'error':
        raise InputError(f'notes: {where}; give a longer row, a shorter window, or let notes be left out')
      pieces, lost, total = _thin(events, start[i : i + 1], end[i : i + 1], length)
      warnings.warn(f'notes: {where}: {lost} of {total} notes, the quietest and shortest, are left out', InputWarning, stacklevel=2)
    at = 0
    for piece in pieces:
      rows[i, at : at + len(piece)] = piece
      at += len(piece)
  return rows


def count_tokens(
  events: SongEvents, start_frames: np.ndarray, frames: int | np.ndarray = 256, *, mel: MelConfig | None = None
) -> np.ndarray:
  """Tokens each window would take, EOS included, int [S]."""
  windows = _window_steps(events.codec.config, start_frames, frames, mel)
  return np.array([_length(pieces) for pieces in _encode(events, *windows)], np.int64)


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
  return frame_to_step(np.array([first, first + frames]), config, mel)


def _argsort(time):
  """A stable order of times [E].

  Integers that hold a coarse time and a place are sorted in a fifth of the time that an order of floats takes; a stable order then mends
  what the coarse time could not tell apart, which is quick on what is sorted already.
  """
  bits = len(time).bit_length()
  low, high = time.min(initial=0), time.max(initial=1)
  order = ((time - low) * (2.0 ** (62 - bits) / (high - low))).astype(np.int64)
  order <<= bits
  order |= np.arange(len(time))
  order.sort()
  order &= 2**bits - 1
  return order.take(np.argsort(time.take(order), kind='stable'))


def _encode(events: SongEvents, start: np.ndarray, end: np.ndarray) -> Iterator[list]:
  """The pieces of each row, without padding: the windows of steps [start, end)."""
  first, last = events.step.searchsorted(start), events.step.searchsorted(end)
  fits = end - start <= events.codec.config.max_shift_steps + 1  # the longest shift
  bounds = [each.tolist() for each in (start, first, last, fits)]
  for window in zip(*bounds, _bodies(events, start + _MARK * fits, first, last), *_tie_sections(events, start), strict=True):
    yield _row(events, *window)


def _row(events, start, first, last, fits, body, tied, program):
  """The pieces of one row: `body` are the tokens of all events but the first; the tie section is `tied`, which ends with `program`."""
  codec = events.codec
  if first == last:
    return [tied, [EOS]]
  shift, own_program, velocity, pitch = events.tokens[first].tolist()
  shift -= _MARK + start
  head = _one_shift(shift, codec) if shift > codec.shift else []
  if velocity == PAD:  # onsets alone
    head.append(pitch)
  else:
    head += [velocity, pitch] if own_program in (PAD, program) else [own_program, velocity, pitch]
  whole = (lambda tokens: tokens) if fits else partial(_split_shifts, codec=codec)
  speaker = first if own_program != PAD else first + int((events.tokens[first:last, 1] != PAD).argmax())
  if speaker == first:  # or none speaks
    return [tied, head, whole(body), [EOS]]
  # its program may stand where the stream has none, or the other way round
  at = events.position[speaker] - events.position[first + 1] + events.written[speaker, 0]
  spoken = events.tokens[speaker, 1:2]
  before, after = whole(body[:at]), whole(body[at + events.written[speaker, 1] :])
  return [tied, head, before, spoken if spoken != program else [], after, [EOS]]


def _bodies(events, less, first, last):
  """Of each window the tokens of its events but the first, its shifts `less` by so much."""
  if len(first) == 1:  # as training asks for them, one a crop: half the time
    begin, end = int(first[0]), int(last[0])
    tokens = events.stream[events.position[min(begin + 1, end)] : events.position[end]]
    return [tokens - int(less[0]) * (tokens >> 30)]
  low, high = events.position[np.minimum(first + 1, last)], events.position[last]
  tokens = np.concatenate([events.stream[:0], *(events.stream[a:b] for a, b in zip(low.tolist(), high.tolist(), strict=True))])
  ends = (high - low).cumsum()
  tokens -= np.repeat(less.astype(np.int32), high - low) * (tokens >> 30)
  return [tokens[a:b] for a, b in zip([0, *ends.tolist()], ends.tolist(), strict=False)]


def _length(pieces):
  return sum(map(len, pieces))


def _one_shift(token, codec):
  whole, rest = divmod(token - codec.shift - 1, codec.config.max_shift_steps)
  return [codec.shift + codec.config.max_shift_steps] * whole + [codec.shift + rest + 1]


def _split_shifts(tokens, codec):
  """Marked tokens without the marks, each shift over the longest as several: the longest ones, then the rest."""
  longest = codec.config.max_shift_steps
  is_shift = tokens >> 30
  tokens = tokens - _MARK * is_shift
  pieces = np.where(is_shift, np.maximum(-(-(tokens - codec.shift) // longest), 1), 1)
  tokens = np.repeat(tokens, pieces)
  final = np.cumsum(pieces) - 1
  inner = np.ones(len(tokens), bool)
  inner[final] = False
  tokens[final] -= (pieces - 1) * longest
  tokens[inner] = codec.shift + longest
  return tokens


def _tie_sections(events, start):
  """What each window's row begins with, the tie token included, and the last program in it."""
  codec = events.codec
  if not codec.config.ties:
    return [()] * len(start), [PAD] * len(start)
  ends = (np.arange(len(start)) << 2 * _BITS) + (_LAST << _BITS | codec.tie)
  keys = np.concatenate([_sounding(events, start), ends])
  keys.sort()
  end = keys.searchsorted(ends)
  tokens = np.empty((len(keys), 2), np.int64)
  tokens[:, 1] = keys
  program = np.right_shift(keys, _BITS, out=tokens[:, 0])
  written = np.ones(tokens.shape, bool)
  written[1:] = tokens[1:] != tokens[:-1]
  written[slice(None) if codec.config.programs == 'flat' else end, 0] = False
  tokens &= _LAST
  row = tokens[written]
  bounds = np.flatnonzero(written).searchsorted(2 * end + 2).tolist()
  return [row[low:high] for low, high in zip([0, *bounds], bounds, strict=False)], program[end - 1].tolist()


def _sounding(events, start):
  """Window * 2^40 + key of each note that sounds when a window starts, in no order."""
  on, off, key = events.tied_on, events.tied_off, events.tied_key
  if len(start) == 1:
    at = start[0]
    low, high = on.searchsorted(at - events.longest), on.searchsorted(at)
    return key[low:high][off[low:high] >= at]
  by_start = np.argsort(start, kind='stable')
  starts = start[by_start]
  before = np.diff(on.searchsorted(starts), prepend=0, append=len(on))
  first = np.repeat(np.arange(len(starts) + 1), before)  # of the windows that start after a note does
  late = np.flatnonzero(off >= np.append(starts, 2**62)[first])
  first = first[late]
  count = starts.searchsorted(off[late], 'right') - first
  note = np.repeat(late, count)
  window = np.arange(len(note)) + np.repeat(first - np.cumsum(count) + count, count)
  return (by_start[window] << 2 * _BITS) + key[note]


def _thin(events, start, end, length):
  """The pieces of one row without the notes that do not fit, how many those are, and of how many."""
  notes, config = events.notes, events.codec.config
  on, off = time_to_step(notes.onset, config), time_to_step(notes.offset, config)
  goes_on = ~notes.is_drum & (off >= start) & (not config.onsets_only)
  heard = notes.select((on < end) & ((on >= start) | goes_on))
  heard = heard.select(np.lexsort((-(heard.offset - heard.onset), -heard.velocity)))
  fits, too_many, best = -1, len(heard), None
  while too_many - fits > 1:
    kept = (fits + too_many) // 2
    pieces = next(_encode(song_events(heard.select(np.arange(kept)), config), start, end))
    if _length(pieces) <= length:
      fits, best = kept, pieces
    else:
      too_many = kept
  if best is None:
    raise InputError(f'notes: a row of {length} tokens has no room for any event; give a longer row')
  return best, len(heard) - fits, len(heard)
