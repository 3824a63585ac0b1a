"""A score: what each voice plays in beats, and its MIDI file."""

import io
from dataclasses import dataclass, field, replace

import mido

TICKS_PER_BEAT = 480
DRUM_CHANNEL = 9
_SHORTEST = 0.02  # beats; two strokes on one key stay two


@dataclass(frozen=True)
class Note:
  start: float  # beats from the start of the piece
  length: float  # beats
  pitch: int
  velocity: int


@dataclass
class Voice:
  """One instrument: its own channel and program."""

  program: int  # drum voices: the kit
  notes: list[Note] = field(default_factory=list)
  drums: bool = False
  pan: int = 64
  volume: int = 100
  controls: list[tuple[float, int, int]] = field(default_factory=list)  # beat, controller, value


@dataclass
class Score:
  title: str
  meter: tuple[int, int]  # numerator, denominator of the time signature
  tempi: list[tuple[float, float]]  # beat, beats a minute
  voices: list[Voice]

  @property
  def seconds(self) -> float:
    """From the start to the end of the last note."""
    end = max(note.start + note.length for voice in self.voices for note in voice.notes)
    return self.at(end)

  def at(self, beat: float) -> float:
    """The time of a beat in seconds."""
    seconds = 0.0
    for (start, bpm), (until, _) in zip(self.tempi, [*self.tempi[1:], (beat, 0.0)], strict=True):
      seconds += max(min(until, beat) - start, 0.0) * 60 / bpm
    return seconds

  def midi(self) -> bytes:
    """A MIDI file of type 1: a track of tempi, then a track a voice.  Voices without notes are left out."""
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    head = [(beat, mido.MetaMessage('set_tempo', tempo=round(60e6 / bpm))) for beat, bpm in self.tempi]
    numerator, denominator = self.meter
    head.insert(0, (0.0, mido.MetaMessage('time_signature', numerator=numerator, denominator=denominator)))
    head.insert(0, (0.0, mido.MetaMessage('track_name', name=self.title)))
    file.tracks.append(_track(head))
    channels = (channel for channel in range(16) if channel != DRUM_CHANNEL)
    for voice in self.voices:
      if voice.notes:
        file.tracks.append(_track(_events(voice, DRUM_CHANNEL if voice.drums else next(channels))))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def tidy(notes: list[Note]) -> list[Note]:
  """In order of time, with no note still sounding when its key is struck again, and nothing outside MIDI's ranges."""
  kept: list[Note] = []
  last: dict[int, int] = {}  # pitch -> position in kept
  for note in sorted(notes, key=lambda note: (note.start, note.pitch, -note.velocity)):
    if not 0 <= note.pitch <= 127 or note.length <= 0:
      continue
    note = replace(note, start=max(note.start, 0.0), velocity=min(max(note.velocity, 1), 127))
    if note.pitch in last:
      before = kept[last[note.pitch]]
      gap = note.start - before.start
      if gap < 2 * _SHORTEST:
        continue
      if before.length > gap - _SHORTEST:
        kept[last[note.pitch]] = replace(before, length=gap - _SHORTEST)
    last[note.pitch] = len(kept)
    kept.append(note)
  return kept


def _events(voice, channel):
  """(beat, message) of one voice; at one beat controls come first, then note-offs, then note-ons."""
  setup = [
    mido.Message('program_change', channel=channel, program=voice.program),
    mido.Message('control_change', channel=channel, control=7, value=voice.volume),
    mido.Message('control_change', channel=channel, control=10, value=voice.pan),
  ]
  timed = [
    (beat, 0, mido.Message('control_change', channel=channel, control=control, value=value)) for beat, control, value in voice.controls
  ]
  for note in tidy(voice.notes):
    timed.append((note.start, 2, mido.Message('note_on', channel=channel, note=note.pitch, velocity=note.velocity)))
    timed.append((note.start + note.length, 1, mido.Message('note_off', channel=channel, note=note.pitch, velocity=0)))
  timed.sort(key=lambda event: (round(event[0] * TICKS_PER_BEAT), event[1]))
  return [(0.0, message) for message in setup] + [(beat, message) for beat, _, message in timed]


def _track(events):
  track, before = mido.MidiTrack(), 0
  for beat, message in events:
    tick = round(beat * TICKS_PER_BEAT)
    track.append(message.copy(time=tick - before))
    before = tick
  track.append(mido.MetaMessage('end_of_track', time=0))
  return track
