"""Small MIDI files for the tests."""

from pathlib import Path

import mido

BEAT = 480


def track(channel: int, program: int, pitches, length: int = 240, controls=()) -> mido.MidiTrack:
  """Notes one after the other, `length` ticks each."""
  events = mido.MidiTrack()
  events.append(mido.Message('program_change', channel=channel, program=program))
  for control, value in controls:
    events.append(mido.Message('control_change', channel=channel, control=control, value=value))
  for pitch in pitches:
    events.append(mido.Message('note_on', channel=channel, note=pitch, velocity=80))
    events.append(mido.Message('note_off', channel=channel, note=pitch, time=length))
  return events


def save(path: Path, *tracks: mido.MidiTrack, kind: int = 1, division: int = BEAT) -> Path:
  file = mido.MidiFile(type=kind, ticks_per_beat=division)
  file.tracks.extend(tracks)
  path.parent.mkdir(parents=True, exist_ok=True)
  file.save(path)
  return path


def folder(path: Path, count: int = 3) -> Path:
  """`count` songs of a second or two, song_0.mid and so on, each of piano, bass and drums."""
  for k in range(count):
    save(
      path / f'song_{k}.mid',
      track(0, 0, (60 + k, 64 + k, 67 + k)),
      track(1, 32, (36 + k, 43 + k)),
      track(9, 0, (36, 38, 42, 42)),
    )
  return path
