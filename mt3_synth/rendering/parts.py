"""A MIDI file as parts: one an instrument, each a MIDI file of its own that sounds as it did in the whole."""

import bisect
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import mido

from mt3_synth.errors import InputError
from mt3_synth.rendering.general_midi import DRUM_CHANNEL, DRUM_PROGRAM
from mt3_synth.rendering.player_clock import DEFAULT_TEMPO, player_clock

Timing = Literal['exact', 'player']
_CONDUCTOR = ('set_tempo', 'time_signature', 'key_signature')


@dataclass(frozen=True)
class Part:
  """What one instrument plays.

  `events` are (tick from the start of the piece, message), in order: the notes that this program plays and every control change,
  bend and pressure of its channel.
  """

  channel: int
  program: int  # 0-127, of a drum part its kit
  events: tuple[tuple[int, Any], ...]

  @property
  def is_drum(self) -> bool:
    return self.channel == DRUM_CHANNEL

  @property
  def slakh_program(self) -> int:
    return DRUM_PROGRAM if self.is_drum else self.program


@dataclass(frozen=True)
class Song:
  """A MIDI file cut into parts."""

  ticks_per_beat: int
  conductor: tuple[tuple[int, Any], ...]  # tempo, time and key signatures: (tick, message)
  parts: tuple[Part, ...]  # in order of (channel, first note)
  last_tick: int  # where the last event of any track stands

  def seconds(self, tick: int) -> float:
    """The time of a tick, by the tempo map."""
    return self._clock()(tick)

  def _clock(self):
    marks = [(0, 0.0, DEFAULT_TEMPO)]  # tick, seconds, tempo from there on
    for tick, message in self.conductor:
      if message.type == 'set_tempo':
        start, seconds, tempo = marks[-1]
        marks.append((tick, seconds + mido.tick2second(tick - start, self.ticks_per_beat, tempo), message.tempo))

    ticks = [tick for tick, _, _ in marks]

    def clock(tick):
      start, seconds, tempo = marks[bisect.bisect_right(ticks, tick) - 1]
      return seconds + mido.tick2second(tick - start, self.ticks_per_beat, tempo)

    return clock

  @property
  def duration(self) -> float:
    """Seconds from the start to the last event of any track."""
    return self.seconds(self.last_tick)

  def timed(self, part: Part, timing: Timing = 'exact', sample_rate: int = 44100) -> list[tuple[float, Any]]:
    """The part's events as (seconds, message): by the tempo map, or when FluidSynth's own player sends them at `sample_rate`."""
    if timing == 'exact':
      clock = self._clock()
    else:
      tempi = [(tick, message.tempo) for tick, message in self.conductor if message.type == 'set_tempo']
      clock = player_clock(tempi, self.ticks_per_beat, sample_rate)
    return [(clock(tick), message) for tick, message in part.events]

  def midi(self, part: Part) -> mido.MidiFile:
    """The part as a MIDI file: a track of tempi and signatures, and a track of events."""
    file = mido.MidiFile(type=1, ticks_per_beat=self.ticks_per_beat)
    file.tracks.append(_track(self.conductor, self.last_tick))
    file.tracks.append(_track(part.events, self.last_tick))
    return file


def read_song(path: Path) -> Song:
  """Reads a MIDI file of type 0 or 1.

  A part is a channel and a program: a channel that changes program becomes several parts.  Channels without notes leave none.

  Raises:
    InputError: the file can't be read as MIDI, has no notes, or counts time in a way that has no beats.
  """
  try:
    file = mido.MidiFile(path, clip=True)
  except OSError as e:
    raise InputError(f'{path}: cannot be read ({e})') from None
  except Exception as e:  # the parser raises whatever a wrong byte leads it to
    raise InputError(f'{path}: not a MIDI file, or a damaged one ({type(e).__name__}: {e})') from None
  if file.type not in (0, 1):
    raise InputError(f'{path}: MIDI of type {file.type} (independent patterns), expected type 0 or 1; export it again as type 1')
  if not 0 < file.ticks_per_beat < 0x8000:
    raise InputError(f'{path}: time division {file.ticks_per_beat} is SMPTE, expected ticks a beat; export it again')

  conductor, last_tick = [], 0
  channels: dict[int, list] = {}
  for tick, message in _merged(file):
    last_tick = max(last_tick, tick)
    if message.type in _CONDUCTOR:
      conductor.append((tick, message))
    elif not message.is_meta and hasattr(message, 'channel'):
      channels.setdefault(message.channel, []).append((tick, message))
  parts = [part for channel, events in sorted(channels.items()) for part in _split(channel, events)]
  if not parts:
    raise InputError(f'{path}: no notes in it')
  return Song(file.ticks_per_beat, tuple(conductor), tuple(parts), last_tick)


def _merged(file):
  events = []
  for track in file.tracks:
    tick = 0
    for message in track:
      tick += message.time
      events.append((tick, message))
  return sorted(events, key=lambda event: event[0])  # stable: events at one tick keep the order of the tracks


def _split(channel, events):
  """The parts of one channel, in order of their first notes."""
  notes: dict[int, list] = {}  # program -> positions of its events
  sounding: dict[int, Counter] = {}  # program -> notes that no note-off has ended yet
  shared, changes, program = [], {}, 0
  for position, (_, message) in enumerate(events):
    if message.type == 'program_change':
      program = message.program
      changes.setdefault(program, []).append(position)
    elif message.type == 'note_on' and message.velocity > 0:
      notes.setdefault(program, []).append(position)
      sounding.setdefault(program, Counter())[message.note] += 1
    elif message.type in ('note_on', 'note_off'):  # ends the note in the part that began it
      for each, keys in sounding.items():
        if keys[message.note]:
          notes[each].append(position)
          keys[message.note] -= 1
    else:
      shared.append(position)
  for program, own in notes.items():
    kept = [events[position] for position in sorted(own + shared + changes.get(program, []))]
    first = mido.Message('program_change', channel=channel, program=program)
    if not any(tick == 0 and message == first for tick, message in kept):
      kept.insert(0, (0, first))  # said at once, so that a reader of the part alone never sees another program
    yield Part(channel, program, tuple(kept))


def _track(events, last_tick):
  track, before = mido.MidiTrack(), 0
  for tick, message in events:
    track.append(message.copy(time=tick - before))
    before = tick
  track.append(mido.MetaMessage('end_of_track', time=last_tick - before))
  return track
