"""Melodies: a motif, its sequences and variations, phrases that end in cadences."""

from dataclasses import dataclass

from data_prep.compose.draw import Draw
from data_prep.compose.form import FULL, Passage
from data_prep.compose.theory import nearest, pitches, stepped

# A line is (start, length, pitch), in beats from the start of the passage.
Line = list[tuple[float, float, int]]
_THIRD = 1 / 3
RHYTHMS = {  # of one bar; negative: a rest
  2: ((1, 1), (0.5, 0.5, 1), (1, 0.5, 0.5), (1.5, 0.5), (0.5, 0.5, 0.5, 0.5), (0.25, 0.25, 0.5, 0.5, 0.5), (2,), (0.75, 0.25, 1)),
  3: ((1, 1, 1), (2, 1), (1.5, 0.5, 1), (1, 0.5, 0.5, 1), (0.5,) * 6, (3,), (1, 2), (0.5, 0.5, 1, 1), (2, 0.5, 0.5), (-1, 1, 1)),
  4: (
    (1, 1, 1, 1),
    (2, 1, 1),
    (1.5, 0.5, 1, 1),
    (0.5, 0.5, 1, 0.5, 0.5, 1),
    (1, 0.5, 0.5, 2),
    (0.5,) * 8,
    (3, 1),
    (0.75, 0.25, 0.75, 0.25, 2),
    (0.5, 1, 0.5, 0.5, 1, 0.5),
    (-0.5, 0.5, 0.5, 0.5, 1, 1),
    (0.25, 0.25, 0.5, 0.5, 0.5, 1, 1),
    (_THIRD, _THIRD, _THIRD, 1, _THIRD, _THIRD, _THIRD, 1),
    (1.5, 1.5, 1),
    (2, 2),
    (0.25,) * 4 + (0.5, 0.5) + (1, 1),
    (-1, 1, 0.5, 0.5, 1),
  ),
}
_ENDINGS = {2: ((2,), (1, 1)), 3: ((3,), (2, -1), (1, 2)), 4: ((4,), (2, 2), (3, -1), (1, 1, 2), (2, -2), (1, 3))}
_SCHEMES = ('aabc', 'abac', 'aaac', 'abbc')  # the fourth bar is the cadence


@dataclass(frozen=True)
class Motif:
  rhythm: tuple[float, ...]
  steps: tuple[int, ...]  # scale steps from each note to the next
  leap: int  # where the bar begins, in scale steps from where the last one ended


def _motif(draw, beats, busy):
  rhythms = sorted(RHYTHMS[beats], key=len)
  middle = busy * (len(rhythms) - 1)
  rhythm = rhythms[min(max(round(middle + draw.spread(len(rhythms) * 0.45)), 0), len(rhythms) - 1)]
  direction = draw.pick((-1, 1))
  steps = []
  for _ in rhythm[1:]:
    steps.append(direction * draw.weighted({1: 6, 2: 1.6, 0: 1, 3: 0.6, 4: 0.3}))
    if draw.chance(0.3):
      direction = -direction
  return Motif(rhythm, tuple(steps), draw.pick((-2, -1, 0, 0, 1, 2)))


def compose_melody(draw: Draw, passage: Passage, low: int, high: int) -> Line:
  """A melody over the passage's chords within [low, high].

  Each phrase of four bars states a motif and its repetitions in the scheme of `_SCHEMES`, and comes to rest: on the tonic in a full
  cadence, on a tone of the chord otherwise.  Motifs return from phrase to phrase, at times inverted.
  """
  busy = 0.25 + 0.5 * passage.energy
  motifs = {name: _motif(draw.child(name), passage.beats, busy + draw.spread(0.2)) for name in 'ab'}
  scheme = draw.pick(_SCHEMES)
  pitch = float(draw.integer(round(low * 0.6 + high * 0.4), round(low * 0.4 + high * 0.6)))
  line: Line = []
  for bar in range(passage.bars):
    phrase, place = divmod(bar, 4)
    start = float(bar * passage.beats)
    if place == 3 or bar == passage.bars - 1:
      ending = passage.cadences[min(phrase, len(passage.cadences) - 1)]
      line += _cadence(draw.child(('cadence', bar)), passage, start, pitch, ending, low, high)
    else:
      motif = motifs[scheme[place]]
      if phrase % 2 and draw.chance(0.35):
        motif = Motif(motif.rhythm, tuple(-step for step in motif.steps), -motif.leap)
      drift = 0.35 * ((low + high) / 2 - pitch)  # back towards the middle
      line += _bar(passage, motif, start, pitch + 1.7 * motif.leap + drift, low, high)
    pitch = float(line[-1][2]) if line else pitch
  return line


def _bar(passage, motif, start, pitch, low, high):
  line, at, here = [], start, None
  for length, step in zip(motif.rhythm, (0, *motif.steps), strict=True):
    if length > 0:
      each = passage.at(at)
      strong = (at - start) % 2 == 0 or length >= 1.5
      goal = nearest(each.tones, pitch, low, high) if here is None else stepped(each.scale, here, step, low, high)
      here = nearest(each.tones, goal, low, high) if strong else goal
      line.append((at, length, here))
    at += abs(length)
  return line


def _cadence(draw, passage, start, pitch, ending, low, high):
  line, at = [], start
  last = max(span.start for span in passage.spans if span.start < start + passage.beats) - start
  endings = [rhythm for rhythm in _ENDINGS[passage.beats] if _last_start(rhythm) >= last]  # the final note waits for the final chord
  rhythm = draw.pick(endings or _ENDINGS[passage.beats])
  sounding = [length for length in rhythm if length > 0]
  for k, length in enumerate(sounding):
    each = passage.at(at)
    final = k == len(sounding) - 1
    goal = (passage.key.tonic,) if final and ending == FULL and passage.key.tonic in each.tones else each.tones
    pitch = nearest(goal, pitch + draw.spread(2), low, high)
    line.append((at, length, pitch))
    at += length
  return line


def _last_start(rhythm):
  sounding = [sum(map(abs, rhythm[:k])) for k, length in enumerate(rhythm) if length > 0]
  return sounding[-1]


def varied(draw: Draw, line: Line, passage: Passage, low: int, high: int) -> Line:
  """The line with some ornaments: neighbours, passing notes, repeated notes."""
  result: Line = []
  for k, (start, length, pitch) in enumerate(line):
    following = line[k + 1][2] if k + 1 < len(line) else pitch
    scale = passage.at(start).scale
    if length < 1 or draw.chance(0.65):
      result.append((start, length, pitch))
    elif abs(following - pitch) in (3, 4):  # a passing note
      between = stepped(scale, pitch, 1 if following > pitch else -1, low, high)
      result += [(start, length / 2, pitch), (start + length / 2, length / 2, between)]
    elif draw.chance(0.5):  # an upper neighbour
      neighbour = stepped(scale, pitch, 1, low, high)
      result += [(start, length / 2, pitch), (start + length / 2, length / 4, neighbour), (start + 0.75 * length, length / 4, pitch)]
    else:
      result += [(start, length / 2, pitch), (start + length / 2, length / 2, pitch)]
  return result


def in_thirds(line: Line, passage: Passage, low: int, high: int, steps: int = -2) -> Line:
  """The line again, `steps` scale steps away (-2: a third below, -5: a sixth below)."""
  return [(start, length, stepped(passage.at(start).scale, pitch, steps, low, high)) for start, length, pitch in line]


def moved(line: Line, low: int, high: int) -> Line:
  """The line in the octave that fits [low, high] best; what still sticks out is folded into it."""
  if not line:
    return []
  centre = sum(pitch for _, _, pitch in line) / len(line)
  shift = 12 * round(((low + high) / 2 - centre) / 12)
  return [(start, length, _folded(pitch + shift, low, high)) for start, length, pitch in line]


def _folded(pitch, low, high):
  while pitch < low:
    pitch += 12
  while pitch > high:
    pitch -= 12
  return pitch


def counter_melody(draw: Draw, passage: Passage, low: int, high: int) -> Line:
  """A slow second voice: one or two tones a chord, by the shortest way, with suspensions and passing notes."""
  pitch = float(draw.integer(low, high) + low + high) / 3
  line: Line = []
  for span in passage.spans:
    pitch = nearest(span.chord.tones, pitch + draw.spread(3), low, high)
    if span.length >= 2 and draw.chance(0.5):
      other = stepped(span.chord.scale, pitch, draw.pick((-1, 1, 2, -2)), low, high)
      line += [(span.start, span.length - 1, pitch), (span.start + span.length - 1, 1, other)]
      pitch = other
    elif span.length >= 2 and draw.chance(0.3):  # the note above, resolving
      above = stepped(span.chord.scale, pitch, 1, low, high)
      line += [(span.start, span.length / 2, above), (span.start + span.length / 2, span.length / 2, pitch)]
    else:
      line.append((span.start, span.length, pitch))
  return line


def running(draw: Draw, passage: Passage, low: int, high: int, unit: float = 0.5) -> Line:
  """Even notes without rest, as in a prelude for one instrument: broken chords joined by scales."""
  line: Line = []
  pitch, direction = round((low + high) / 2), 1
  at = 0.0
  while at < passage.length - 1e-6:
    each = passage.at(at)
    broken = draw.chance(0.65)
    for _ in range(4 if unit <= 0.5 else 2):
      if at >= passage.length - 1e-6:
        break
      ladder = pitches(each.tones if broken else each.scale, low, high)
      if pitch + direction * 2 > ladder[-1] or pitch + direction * 2 < ladder[0] or draw.chance(0.12):
        direction = -direction
      pitch = stepped(each.tones if broken else each.scale, pitch, direction, low, high)
      line.append((at, unit, pitch))
      at += unit
  last = passage.length - max(passage.beats / 2, 1)
  line = [note for note in line if note[0] < last - 1e-6]
  return line + [(last, passage.length - last, nearest(passage.at(last).tones, pitch, low, high))]
