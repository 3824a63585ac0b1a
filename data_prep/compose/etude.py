"""Etudes: pieces that show a model what each instrument sounds like, over its pitches, velocities and durations.

An etude has a few programs.  Each is heard alone (single notes, intervals and chords, scales and broken chords, one key struck with
many velocities), then all are heard together.  The beat is a second, so that lengths are seconds.
"""

from collections.abc import Callable

from data_prep.compose.draw import Draw
from data_prep.compose.instruments import ALL_DRUMS, full_range, is_held
from data_prep.compose.score import Note, Score, Voice

_DRUMS = -1
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 7, 12), (0, 5, 7), (0, 3, 6, 9), (0, 4, 7, 12, 16))
_SCALES = ((2, 2, 1, 2, 2, 2, 1), (2, 1, 2, 2, 1, 2, 2), (1,), (2,), (3, 4, 5), (4, 3, 5), (2, 2, 3, 2, 3))


def compose_etude(draw: Draw, number: int, seconds: tuple[float, float] = (40, 120), players: int = 4) -> Score:
  """Etude `number` of a series that comes by all 128 programs and the drums.

  Args:
    draw: the seed of the series; the etude's own draws are a child of it, by `number`.
    number: from 0.  Etudes 0 to 128/players - 1 have all programs once, the next as many have them in another order, and so on; each
      has drums too.
    seconds: shortest and longest.
    players: programs an etude.
  """
  own = draw.child(('etude', number))
  programs = _programs(draw, number, players)
  wanted = own.uniform(seconds[0] + 4, seconds[1] - 8)
  alone = 0.68 * wanted / (players + 1)
  voices = {program: Voice(program, volume=own.integer(90, 110), pan=own.integer(44, 84)) for program in programs}
  voices[_DRUMS] = Voice(0, drums=True)
  at = 0.0
  for program in own.shuffled([*programs, _DRUMS]):
    voices[program].notes += _alone(own.child(('alone', program)), program, at, alone)
    at += alone
  for program, voice in voices.items():
    voice.notes += _together(own.child(('together', program)), program, at, wanted - at)
  return Score(f'Etude {number}', (4, 4), [(0.0, 60.0)], list(voices.values()))


def _programs(draw, number, players):
  rounds, place = divmod(number * players, 128)
  order = draw.child(('order', rounds)).shuffled(range(128))
  following = draw.child(('order', rounds + 1)).shuffled(range(128))
  return list(dict.fromkeys((order + following)[place : place + players]))


def _alone(draw, program, start, length):
  """Studies one after the other until the time is up."""
  notes: list[Note] = []
  at, end = start, start + length
  studies = draw.shuffled(_DRUM_STUDIES if program == _DRUMS else _STUDIES)
  k = 0
  while at < end - 0.8:
    made = studies[k % len(studies)](draw.child(k), program, min(length / 4 + 0.5, end - at))
    notes += [Note(at + note.start, note.length, note.pitch, note.velocity) for note in made if at + note.start < end - 0.1]
    at = max(at + 0.3, *(at + note.start + min(note.length, 1.2) for note in made)) + 0.1
    k += 1
  return notes


def _together(draw, program, start, length):
  """Random music over the others: single notes and chords with rests between them."""
  notes: list[Note] = []
  at = start + draw.uniform(0, 1)
  pace = draw.uniform(0.15, 0.9)
  while at < start + length - 0.3:
    if draw.chance(0.2):
      at += draw.uniform(0.3, 2.0)
      continue
    if program == _DRUMS:
      notes.append(Note(at, 0.1, _drum(draw), _velocity(draw)))
    else:
      stack = draw.pick(_CHORDS) if draw.chance(0.2) else (0,)
      bottom, loud = _pitch(draw, program, stack[-1]), _velocity(draw)
      sounding = min(_duration(draw), start + length - at)
      notes += [Note(at, sounding, bottom + step, loud) for step in stack]
    at += pace * draw.uniform(0.4, 1.8)
  return notes


def _single_notes(draw, program, length):
  """Any pitch, any velocity, any duration, one at a time."""
  notes, at = [], 0.0
  while at < length - 0.2:
    sounding = _duration(draw)
    notes.append(Note(at, sounding, _pitch(draw, program), _velocity(draw)))
    at += sounding * draw.uniform(0.9, 1.3) + (0.0 if is_held(program) else draw.uniform(0, 0.5))
  return notes


def _stacks(draw, program, length):
  """Intervals and chords."""
  notes, at = [], 0.0
  while at < length - 0.2:
    stack = draw.pick(_CHORDS) if draw.chance(0.6) else (0, draw.integer(1, 16))
    bottom, loud, sounding = _pitch(draw, program, stack[-1]), _velocity(draw), _duration(draw)
    notes += [Note(at, sounding, bottom + step, round(loud + draw.spread(8))) for step in stack]
    at += sounding * draw.uniform(0.8, 1.2) + 0.1
  return notes


def _runs(draw, program, length):
  """Scales and broken chords, up and down, detached or overlapping."""
  low, high = full_range(program)
  steps, pace, ratio = draw.pick(_SCALES), draw.uniform(0.09, 0.35), draw.uniform(0.4, 1.15)
  loud, swell = draw.integer(45, 105), draw.spread(40)
  pitch, direction = draw.integer(low, high), draw.pick((-1, 1))
  notes, count = [], max(int(length / pace), 1)
  for k in range(count):
    notes.append(Note(k * pace, pace * ratio, pitch, min(max(round(loud + swell * k / count), 20), 127)))
    step = direction * steps[k % len(steps)]
    if not low <= pitch + step <= high:
      direction = -direction
      step = -step
    pitch += step
  return notes


def _one_key(draw, program, length):
  """One key from soft to loud, at one pace."""
  pitch, pace = _pitch(draw, program), draw.uniform(0.2, 0.7)
  count = max(int(length / pace), 2)
  louds = [25 + 102 * k / (count - 1) for k in range(count)]
  louds = louds if draw.chance(0.7) else draw.shuffled(louds)
  return [Note(k * pace, pace * draw.uniform(0.4, 0.95), pitch, round(loud)) for k, loud in enumerate(louds)]


def _drum_hits(draw, program, length):
  """Single strokes on any drum."""
  notes, at = [], 0.0
  while at < length - 0.1:
    notes.append(Note(at, 0.15, _drum(draw), _velocity(draw)))
    at += draw.uniform(0.12, 0.8)
  return notes


def _drum_rolls(draw, program, length):
  """One drum, faster or slower, softer or louder."""
  drum, pace = _drum(draw), draw.uniform(0.08, 0.3)
  count = max(int(min(length, 2.0) / pace), 2)
  return [Note(k * pace, 0.06, drum, round(35 + 85 * k / count)) for k in range(count)]


def _drum_pairs(draw, program, length):
  """Two or three drums at once, on an even pulse."""
  pace = draw.uniform(0.2, 0.5)
  drums = [_drum(draw) for _ in range(4)]
  return [
    Note(k * pace, 0.1, drum, _velocity(draw))
    for k in range(max(int(length / pace), 1))
    for drum in set(draw.shuffled(drums)[: draw.integer(1, 3)])
  ]


def _all_drums(draw, program, length):
  """The kit from one end to the other, a part of it at a time."""
  first = draw.integer(0, len(ALL_DRUMS) - 1)
  pace = draw.uniform(0.2, 0.4)
  return [Note(k * pace, 0.15, ALL_DRUMS[(first + k) % len(ALL_DRUMS)], _velocity(draw)) for k in range(max(int(length / pace), 1))]


_STUDIES: tuple[Callable, ...] = (_single_notes, _stacks, _runs, _single_notes, _one_key)
_DRUM_STUDIES: tuple[Callable, ...] = (_drum_hits, _drum_rolls, _all_drums, _drum_pairs)


def _pitch(draw, program, room=0):
  low, high = full_range(program)
  return draw.integer(low, max(high - room, low))


def _velocity(draw):
  return draw.integer(28, 127)


def _duration(draw):
  """Seconds; as many short ones as long ones in a logarithmic sense, from 0.08 to 3."""
  return 0.08 * 37.5 ** draw.uniform(0, 1)


def _drum(draw):
  """The kit's common drums half of the time, any drum else."""
  return draw.pick((36, 38, 42, 46, 49, 51, 41, 45, 48)) if draw.chance(0.5) else draw.pick(ALL_DRUMS)
