"""MIDI files <-> notes."""

import os
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np

from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes import smf
from mt3_synth.notes.note_list import Notes, concatenate

DRUM_CHANNEL = 9  # "channel 10", counted from 1
_LONGEST_HOURS = 24
_TICKS_PER_QUARTER = 5000  # at 120 quarters a minute: 0.1 ms a tick


class NoNotesError(InputError):
  """A file is MIDI, and holds no notes."""


def read_midi(file: str | os.PathLike | bytes) -> Notes:
  """Notes of a MIDI file (formats 0, 1 and 2; tempo map or SMPTE time), sorted by onset.

  The file is played as a sound module would: programs and pedals belong to channels, across tracks, in order of time, and a note keeps
  the program it started with.  One exception: a track that chose a program itself keeps it, for many files hold more instruments than
  channels, each in its track.  Channel 10 is drums.  A note-on with velocity 0 is a note-off.  With the sustain pedal down (controller 64
  >= 64) a note lasts until the pedal comes up or the same pitch sounds again on its channel.  "All notes off" (123), "all sound off"
  (120) and "reset controllers" (121) act; pitch bends and other controllers don't.  One note-off ends all notes its track holds at that
  pitch.  A pedal still down at the end comes up at the last event.  The songs of a format 2 file follow each other.

  Args:
    file: a path, or the file's bytes.

  Returns:
    The notes; drums have program 0.

  Raises:
    InputError: the file can't be read, is no MIDI file, has no notes (NoNotesError) or lasts over a day.

  Warns:
    InputWarning: the file is damaged and only a part was read; notes without a note-off (they end with the file); notes of no length
      (left out, except drums, which have none).
  """
  data, source = _load(file)
  events = smf.parse(data, source)
  warned = list(events.faults)
  if events.format == 2:
    songs, start = [], 0.0
    for track in events.tracks:
      notes, end = _play([track], events.division, source, warned)
      songs.append(notes.shift(start))
      start += end
    notes = concatenate(songs)
  else:
    notes, _ = _play(events.tracks, events.division, source, warned)
  damage = f' ({"; ".join(warned)})' if warned else ''
  if not len(notes):
    raise NoNotesError(f'{source}: no notes in {len(events.tracks)} tracks{damage}, expected at least one; is it the right file?')
  if notes.duration > _LONGEST_HOURS * 3600:
    raise InputError(f'{source}: lasts {notes.duration / 3600:.0f} hours, expected at most {_LONGEST_HOURS}; is the file damaged?{damage}')
  if warned:
    warnings.warn(f'{source}: {"; ".join(warned)}; {len(notes)} notes are kept', InputWarning, stacklevel=2)
  return notes.sorted()


def _load(file) -> tuple[bytes, str]:
  if isinstance(file, (bytes, bytearray, memoryview)):
    return bytes(file), 'MIDI bytes'
  path = Path(file)
  try:
    return path.read_bytes(), str(path)
  except FileNotFoundError:
    raise InputError(f'{path}: no such file; expected a MIDI file') from None
  except IsADirectoryError:
    raise InputError(f'{path}: a directory, expected a MIDI file; name one file in it') from None
  except (OSError, ValueError) as e:
    raise InputError(f'{path}: could not be read ({e}); expected a MIDI file') from None


def _play(tracks: list[smf.Track], division: int, source: str, warned: list[str]) -> tuple[Notes, float]:
  """The notes of tracks that run together, and when the last event of any kind comes, in seconds."""
  seconds = smf.tick_seconds([tempo for track in tracks for tempo in track.tempos], division, source)
  end = max((track.end for track in tracks), default=0)
  sizes = [len(track.tick) for track in tracks]
  if not sum(sizes):
    return Notes.empty(), float(seconds(end))
  ticks = np.concatenate([np.frombuffer(track.tick, np.int64) for track in tracks if len(track.tick)])
  order = np.argsort(ticks, kind='stable')  # at the same tick, tracks in the file's order
  columns = [ticks[order], np.repeat(np.arange(len(tracks)), sizes)[order]]
  columns += [np.concatenate([np.asarray(getattr(track, f)) for track in tracks])[order] for f in ('status', 'first', 'second')]
  channels = _Channels()
  for tick, track, status, first, second in zip(*(column.tolist() for column in columns), strict=True):
    channels.send(tick, track, status & 0xF0, status & 15, first, second)
  rows, held = channels.finish(end)
  onset, offset, pitch, velocity, program, is_drum = np.array(rows, np.int64).reshape(-1, 6).T
  notes = Notes(seconds(onset), seconds(offset), pitch, velocity, program, is_drum.astype(bool))
  if held:
    warned.append(f'{held} notes have no note-off and end with the file')
  empty = (notes.offset <= notes.onset) & ~notes.is_drum
  if empty.any():
    warned.append(f'{int(empty.sum())} notes have no length and are left out')
  return notes.select(~empty), float(seconds(end))


class _Channels:
  """The state of sixteen channels while a file is played.  A note is a row [onset, offset, pitch, velocity, program, is_drum], in ticks."""

  def __init__(self):
    self.rows = []
    self.program = [0] * 16
    self.own_program = {}  # (track, channel) -> the program the track itself chose
    self.pedal = [False] * 16
    self.down = [defaultdict(list) for _ in range(16)]  # channel -> (track, pitch) -> notes whose key is down
    self.ringing = [defaultdict(list) for _ in range(16)]  # channel -> pitch -> notes only the pedal holds
    self.last = 0  # tick of the last note or pedal event

  def send(self, tick, track, kind, channel, first, second):
    if kind == smf.PROGRAM:
      self.program[channel] = self.own_program[track, channel] = first
      return
    self.last = tick
    if kind == smf.NOTE_ON and second:
      self._strike(tick, track, channel, first, second)
    elif kind != smf.CONTROL:
      self._release(tick, track, channel, first)
    elif first == smf.SUSTAIN and second >= 64:
      self.pedal[channel] = True
    elif first in (smf.SUSTAIN, smf.RESET_CONTROLLERS):
      self._lift_pedal(tick, channel)
    else:
      for held_by, pitch in list(self.down[channel]):
        self._release(tick, held_by, channel, pitch)
      if first == smf.ALL_SOUND_OFF:
        self._silence(tick, channel)

  def _strike(self, tick, track, channel, pitch, velocity):
    if self.pedal[channel] and channel != DRUM_CHANNEL:
      again = self.ringing[channel].pop(pitch, [])
      for key, notes in self.down[channel].items():
        if key[1] == pitch:
          again, self.down[channel][key] = again + notes, []
      for note in again:
        note[1] = tick if tick > note[0] else _TWIN
    drum = channel == DRUM_CHANNEL
    note = [tick, tick, pitch, velocity, 0 if drum else self.own_program.get((track, channel), self.program[channel]), int(drum)]
    self.rows.append(note)
    self.down[channel][track, pitch].append(note)

  def _release(self, tick, track, channel, pitch):
    notes = self.down[channel].pop((track, pitch), [])
    earlier = [note for note in notes if note[0] < tick]
    if earlier and len(earlier) < len(notes):  # on before off in one tick: the key was struck again
      self.down[channel][track, pitch] = notes[len(earlier) :]
    if self.pedal[channel] and channel != DRUM_CHANNEL:
      self.ringing[channel][pitch] += earlier or notes
    for note in earlier:
      note[1] = tick

  def _lift_pedal(self, tick, channel):
    self.pedal[channel] = False
    self._silence(tick, channel)

  def _silence(self, tick, channel):
    for notes in self.ringing[channel].values():
      for note in notes:
        note[1] = tick
    self.ringing[channel].clear()

  def finish(self, end):
    """Ends what still sounds; returns the rows and how many keys were never released."""
    held = 0
    for channel in range(16):
      self._silence(self.last, channel)
      for notes in self.down[channel].values():
        held += len(notes)
        for note in notes:
          note[1] = end
    return [row for row in self.rows if row[1] != _TWIN], held


_TWIN = -1  # offset of a note struck twice in one tick with the pedal down: only the last counts


def write_midi(notes: Notes, file: str | os.PathLike) -> None:
  """Writes a format 1 file: a track an instrument (program, or drums), 0.1 ms a tick, 120 quarters a minute.

  Notes of the same key that overlap are trimmed first (`Notes.trim_overlaps`).  Over fifteen programs share channels: each note is then
  preceded by its program change.

  Raises:
    InputError: a note starts before 0, or the file can't be written.
  """
  import mido

  notes = notes.trim_overlaps()
  if len(notes) and notes.onset.min() < 0:
    raise InputError(f'{file}: a note starts at {notes.onset.min():.3f} s, expected 0 or later; shift or crop the notes first')
  ticks_per_second = 2 * _TICKS_PER_QUARTER
  onset = np.rint(notes.onset * ticks_per_second).astype(np.int64)
  offset = np.maximum(np.rint(notes.offset * ticks_per_second).astype(np.int64), onset + 1)
  instrument = np.where(notes.is_drum, 128, notes.program)
  instruments, part = np.unique(instrument, return_inverse=True)
  melodic = [channel for channel in range(16) if channel != DRUM_CHANNEL]
  channels = [DRUM_CHANNEL if each == 128 else melodic[i % len(melodic)] for i, each in enumerate(instruments)]
  messages = [[] for _ in instruments]  # per track: (tick, order, message)
  current = {DRUM_CHANNEL: 128}  # channel -> instrument set up on it
  for i in np.lexsort((part, onset)):
    track, pitch, channel = messages[part[i]], int(notes.pitch[i]), channels[part[i]]
    if current.get(channel) != instrument[i]:
      current[channel] = int(instrument[i])
      track.append((int(onset[i]), 1, mido.Message('program_change', channel=channel, program=int(instrument[i]))))
    velocity = max(1, int(notes.velocity[i]))
    track.append((int(onset[i]), 1, mido.Message('note_on', channel=channel, note=pitch, velocity=velocity)))
    track.append((int(offset[i]), 0, mido.Message('note_off', channel=channel, note=pitch, velocity=0)))
  midi = mido.MidiFile(type=1, ticks_per_beat=_TICKS_PER_QUARTER)
  midi.add_track().append(mido.MetaMessage('set_tempo', tempo=500000))
  for track in messages:
    track.sort(key=lambda each: each[:2])
    ticks = np.diff([each[0] for each in track], prepend=0)
    midi.add_track().extend(each[2].copy(time=int(t)) for each, t in zip(track, ticks, strict=True))
  try:
    midi.save(os.fspath(file))
  except OSError as e:
    raise InputError(f'{file}: could not be written ({e}); is the folder there and writable?') from None
