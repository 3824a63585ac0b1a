"""Standard MIDI Files as events: bytes in, columns out (the format of RP-001, "Standard MIDI Files 1.0").

A reader of its own because a damaged file should still give what can be read: a library that builds an object a message gives up at a bad
key signature, a chunk it does not know or a missing last byte, and takes ten times as long.
"""

from array import array
from dataclasses import dataclass, field

import numpy as np

from mt3_synth.errors import InputError

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0
SUSTAIN, ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF = 64, 120, 121, 123
_CONTROLS = frozenset((SUSTAIN, ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF))
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
_SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}


@dataclass
class Track:
  """Events of one track; the four columns are of equal length.

  Attributes:
    tick: ticks since the track's start.
    status: kind (high half) and channel (low half): notes, program changes and the controllers that end notes, no others.
    first, second: data bytes, 0-127.
    tempos: (tick, microseconds a quarter note).
    end: tick of the last event of any kind.
  """

  tick: array = field(default_factory=lambda: array('q'))
  status: array = field(default_factory=lambda: array('B'))
  first: array = field(default_factory=lambda: array('B'))
  second: array = field(default_factory=lambda: array('B'))
  tempos: list[tuple[int, int]] = field(default_factory=list)
  end: int = 0


@dataclass
class MidiEvents:
  """What a file holds.  `faults` says, a line each, what could not be read."""

  format: int
  division: int
  tracks: list[Track]
  faults: list[str]


def parse(data: bytes, source: str) -> MidiEvents:
  """Reads a file's bytes; `source` names it in errors.

  Raises:
    InputError: the bytes are no MIDI file.
  """
  if not data:
    raise InputError(f'{source}: empty, expected a MIDI file; is the download complete?')
  position = 20 if data[:4] == b'RIFF' and data[8:12] == b'RMID' else 0
  if data[position : position + 4] != b'MThd':
    raise InputError(f'{source}: starts with {data[:4]!r}, expected {b"MThd"!r}: not a MIDI file; give a .mid or .midi file')
  if len(data) < position + 14:
    raise InputError(f'{source}: {len(data)} bytes, too few for the header of a MIDI file; is it cut off?')
  size, kind, num_tracks, division = (
    int.from_bytes(data[position + at : position + at + n], 'big') for at, n in ((4, 4), (8, 2), (10, 2), (12, 2))
  )
  if kind > 2:
    raise InputError(f'{source}: MIDI format {kind}, expected 0, 1 or 2; is the file damaged?')
  events = MidiEvents(kind, division, [], [])
  position += 8 + size
  while position + 8 <= len(data):
    name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], 'big')
    start, position = position + 8, position + 8 + size
    if name == b'MTrk':
      events.tracks.append(_parse_track(data[start:position], size, len(events.tracks), events.faults))
  if len(events.tracks) < num_tracks:
    events.faults.append(f'{len(events.tracks)} of {num_tracks} tracks present')
  return events


def _parse_track(data: bytes, size: int, index: int, faults: list[str]) -> Track:
  track = Track()
  clipped = [0]
  try:
    complete = _read_events(data, track, clipped)
    if len(data) < size and not complete:
      faults.append(f'track {index} is cut off: {len(data)} of {size} bytes')
  except IndexError:
    faults.append(f'track {index} is cut off after {len(data)} bytes')
  except _Damaged as e:
    faults.append(f'track {index} is damaged at {e}, the rest of it is left out')
  if clipped[0]:
    faults.append(
      f'track {index} has {clipped[0]} messages with data bytes over 127: velocities were lowered to 127, other messages left out'
    )
  return track


class _Damaged(Exception):
  pass


def _read_events(data: bytes, track: Track, clipped: list[int]) -> bool:
  """Fills `track`; True when an end-of-track event was met."""
  position, tick, running, size = 0, 0, 0, len(data)
  add = track.tick.append, track.status.append, track.first.append, track.second.append
  while position < size:
    delta = data[position]
    position += 1
    if delta > 127:
      delta, position = _variable(data, position - 1)
    status = data[position]
    if status > 127:
      position += 1
    elif running:
      status = running
    else:
      raise _Damaged(f'byte {position} (0x{status:02x}: data without a status)')
    tick += delta
    track.end = tick
    if status < 0xF0:
      running, kind = status, status & 0xF0
      first = data[position]
      second = data[position + 1] if _DATA_BYTES[kind] == 2 else 0
      position += _DATA_BYTES[kind]
      if first > 127 or second > 127:
        clipped[0] += 1
        if first > 127 or kind != NOTE_ON:
          continue
        second = 127
      if kind <= NOTE_ON or kind == PROGRAM or (kind == CONTROL and first in _CONTROLS):
        for append, value in zip(add, (tick, status, first, second), strict=True):
          append(value)
    elif status == 0xFF:
      meta = data[position]
      length, position = _variable(data, position + 1)
      if meta == 0x51 and length == 3 and position + 3 <= size:
        track.tempos.append((tick, int.from_bytes(data[position : position + 3], 'big')))
      position += length
      if meta == 0x2F:
        return True
      if position > size:
        raise IndexError
    elif status in (0xF0, 0xF7):
      length, position = _variable(data, position)
      position += length
      if position > size:
        raise IndexError
    else:
      position += _SYSTEM_DATA_BYTES.get(status, 0)
  return False


def _variable(data: bytes, position: int) -> tuple[int, int]:
  """A variable-length number and where it ends."""
  value = 0
  for n in range(4):
    byte = data[position + n]
    value = value << 7 | byte & 127
    if byte < 128:
      return value, position + n + 1
  raise _Damaged(f'byte {position} (a number longer than 4 bytes)')


def tick_seconds(tempos: list[tuple[int, int]], division: int, source: str):
  """A function from ticks [...] to seconds [...].

  Args:
    tempos: (tick, microseconds a quarter note), any order; 500000 (120 a minute) before the first.
    division: the header's: ticks a quarter note, or frames a second and ticks a frame (SMPTE), where tempos do not count.
    source: named in errors.

  Raises:
    InputError: a division of 0 ticks.
  """
  ticks_per_frame, frames = division & 0xFF, 256 - (division >> 8)
  if division == 0 or (division & 0x8000 and ticks_per_frame == 0):
    raise InputError(f'{source}: its header says 0 ticks a quarter note, expected 1-32767; is the file damaged?')
  if division & 0x8000:
    rate = {29: 30000 / 1001}.get(frames, float(frames))
    starts, times, scales = [0], [0.0], [1 / (rate * ticks_per_frame)]
  else:
    starts, times, scales = [0], [0.0], [60.0 / (120.0 * division)]
    for tick, tempo in sorted(tempos, key=lambda each: each[0]):
      scale = 60.0 / ((6e7 / tempo) * division) if tempo else scales[-1]
      if scale != scales[-1]:
        times.append(times[-1] + scales[-1] * (tick - starts[-1]))
        starts.append(tick)
        scales.append(scale)
  start_ticks, start_times, seconds_per_tick = np.array(starts), np.array(times), np.array(scales)

  def seconds(ticks) -> np.ndarray:
    ticks = np.asarray(ticks)
    piece = np.searchsorted(start_ticks, ticks, 'right') - 1
    return start_times[piece] + seconds_per_tick[piece] * (ticks - start_ticks[piece])

  return seconds
