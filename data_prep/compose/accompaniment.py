"""Accompaniments: figures that turn chords into notes.

A figure is a function of (draw, passage, low, high) -> Line: chords between two pitches.
"""

from collections.abc import Callable

from data_prep.compose.draw import Draw
from data_prep.compose.form import Passage
from data_prep.compose.melody import Line
from data_prep.compose.theory import nearest, pitches, voicing

Figure = Callable[[Draw, Passage, int, int], Line]


def _voiced(passage, low, high, count):
  """(start, length, pitches) of each chord, each near the one before."""
  before: list[int] = []
  for span in passage.spans:
    before = voicing(span.chord, low, high, count, before)
    yield span.start, span.length, before


def held(draw, passage, low, high) -> Line:
  return [(start, length, pitch) for start, length, stack in _voiced(passage, low, high, draw.integer(3, 4)) for pitch in stack]


def _struck(offsets_of_bar, ratio=0.9):
  """Chords struck at given places of the bar."""

  def figure(draw, passage, low, high):
    line: Line = []
    offsets = [offset for offset in offsets_of_bar if offset < passage.beats]
    for start, length, stack in _voiced(passage, low, high, 3):
      times = [bar * passage.beats + offset for bar in range(passage.bars) for offset in offsets]
      times = [at for at in times if start - 1e-6 <= at < start + length - 1e-6] or [start]
      for at, after in zip(times, [*times[1:], start + length], strict=True):
        line += [(at, (after - at) * ratio, pitch) for pitch in stack]
    return line

  return figure


def _broken(order_of, unit):
  """The tones of a chord one by one; `order_of(count)` is the order of their places."""

  def figure(draw, passage, low, high):
    line: Line = []
    for start, length, stack in _voiced(passage, low, high, 3 if unit >= 0.5 else 4):
      order = order_of(len(stack))
      for k in range(round(length / unit)):
        line.append((start + k * unit, unit, stack[order[k % len(order)]]))
    return line

  return figure


def _wide(unit):
  """Up through two octaves and down again."""

  def figure(draw, passage, low, high):
    line: Line = []
    for span in passage.spans:
      ladder = pitches(span.chord.tones, low, high)
      path = ladder[: 6 if unit < 0.5 else 4]
      path = path + path[-2:0:-1]
      line += [(span.start + k * unit, unit, path[k % len(path)]) for k in range(round(span.length / unit))]
    return line

  return figure


def waltz(draw, passage, low, high) -> Line:
  """Bass on one, chords on the other beats."""
  line: Line = []
  for start, length, stack in _voiced(passage, low + 8, high, 3):
    tones = passage.at(start).tones
    for beat in range(max(round(length), 1)):
      if round(start + beat) % passage.beats == 0 or beat == 0:
        line.append((start + beat, 1.0, nearest(tones[:1], low + 5, low, high)))
      else:
        line += [(start + beat, 0.6, pitch) for pitch in stack]
  return line


def strum(draw, passage, low, high) -> Line:
  """A guitarist's hand: up to six strings, one after the other, down and up."""
  strokes = draw.pick(((0, 1, 1.5, 2.5, 3), (0, 1, 2, 3), (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5), (0, 1.5, 2, 3, 3.5)))
  line: Line = []
  for span in passage.spans:
    stack = pitches(span.chord.tones, low, high)[:6]
    times = [bar * passage.beats + offset for bar in range(passage.bars) for offset in strokes if offset < passage.beats]
    times = [at for at in times if span.start - 1e-6 <= at < span.start + span.length - 1e-6] or [span.start]
    for at, after in zip(times, [*times[1:], span.start + span.length], strict=True):
      up = at % 1 != 0
      strings = list(reversed(stack[-4:])) if up else stack
      line += [(at + 0.03 * k, max(after - at - 0.03 * k - 0.02, 0.1), pitch) for k, pitch in enumerate(strings)]
  return line


def ostinato(draw, passage, low, high) -> Line:
  """One figure of sixteenths, moved with the chords."""
  size = draw.pick((3, 4, 5, 6, 8))
  order = [draw.integer(0, 3) for _ in range(size)]
  rests = [draw.chance(0.15) for _ in range(size)]
  line: Line = []
  for start, length, stack in _voiced(passage, low, high, 4):
    for k in range(round(length / 0.25)):
      place = round(start / 0.25) + k
      if not rests[place % size]:
        line.append((start + 0.25 * k, 0.25, stack[order[place % size] % len(stack)]))
  return line


def tremolo(draw, passage, low, high) -> Line:
  """Two tones in quick turns, as a marimba holds a chord."""
  line: Line = []
  for start, length, stack in _voiced(passage, low, high, 2):
    line += [(start + 0.125 * k, 0.125, stack[k % len(stack)]) for k in range(round(length / 0.125))]
  return line


FIGURES: dict[str, Figure] = {
  'held': held,
  'beats': _struck((0, 1, 2, 3)),
  'halves': _struck((0, 2)),
  'offbeats': _struck((0.5, 1.5, 2.5, 3.5), 0.5),
  'stabs': _struck((0, 1.5, 3), 0.45),
  'charleston': _struck((0, 1.5), 0.7),
  'eighths': _struck((0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5), 0.7),
  'alberti': _broken(lambda count: (0, count - 1, 1, count - 1) if count > 1 else (0,), 0.5),
  'up': _broken(lambda count: tuple(range(count)), 0.5),
  'up and down': _broken(lambda count: (*range(count), *range(count - 2, 0, -1)) if count > 1 else (0,), 0.5),
  'sixteenths': _broken(lambda count: (*range(count), *range(count - 2, 0, -1)) if count > 1 else (0,), 0.25),
  'triplets': _broken(lambda count: tuple(range(count)), 1 / 3),
  'wide': _wide(0.5),
  'wide sixteenths': _wide(0.25),
  'waltz': waltz,
  'strum': strum,
  'ostinato': ostinato,
  'tremolo': tremolo,
}
