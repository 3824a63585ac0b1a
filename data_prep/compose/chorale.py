"""Four-part writing: each voice by the shortest way, joined by passing notes."""

from collections.abc import Sequence
from itertools import pairwise, product

from data_prep.compose.draw import Draw
from data_prep.compose.form import Passage
from data_prep.compose.melody import Line
from data_prep.compose.theory import pitches, stepped


def compose_chorale(draw: Draw, passage: Passage, ranges: Sequence[tuple[int, int]], soprano: Line | None = None) -> list[Line]:
  """One line for each range, from the highest voice to the bass.

  Args:
    draw: decides the ornaments and the soprano's way.
    passage: its chords.
    ranges: (lowest, highest) of each voice, the highest voice first; two to five voices.
    soprano: the melody to harmonise, if there is one.
  """
  middle = [(low + high) / 2 for low, high in ranges]
  before: tuple[float, ...] = tuple(middle)
  columns = []
  for span in passage.spans:
    goals = list(before)
    if soprano:
      over = [pitch for start, length, pitch in soprano if start < span.start + span.length and start + length > span.start]
      goals[0] = float(over[0]) if over else goals[0]
    else:
      goals[0] += draw.spread(4) + 0.15 * (middle[0] - goals[0])
    before = _column(span.chord, goals, before, ranges, middle)
    columns.append(before)
  lines = [[] for _ in ranges]
  for k, span in enumerate(passage.spans):
    for voice, line in enumerate(lines):
      here = round(columns[k][voice])
      there = round(columns[k + 1][voice]) if k + 1 < len(columns) else here
      line += _ornamented(draw, span, here, there, ranges[voice], strict=voice == 0 and soprano is not None)
  if soprano:
    lines[0] = list(soprano)
  return lines


def _column(chord, goals, before, ranges, middle):
  """The pitches of one chord: near the goals, the root in the bass, no voices crossed, no fifths and octaves in parallel."""
  choices = []
  for voice, (goal, (low, high), centre) in enumerate(zip(goals, ranges, middle, strict=True)):
    ladder = pitches(chord.tones if voice < len(ranges) - 1 else chord.tones[:1], low, high)
    choices.append(sorted(ladder, key=lambda pitch, aim=0.85 * goal + 0.15 * centre: abs(pitch - aim))[:3])

  def cost(whole):
    moved = sum(abs(pitch - goal) for pitch, goal in zip(whole, goals, strict=True))
    crossed = sum(40 for upper, lower in pairwise(whole) if upper <= lower)
    missing = 4 * len({tone for tone in chord.tones[:3]} - {pitch % 12 for pitch in whole})
    return moved + crossed + missing + _parallels(before, whole)

  return min(product(*choices), key=cost)


def _parallels(before, after):
  found = 0
  for i in range(len(after)):
    for j in range(i):
      same = (after[j] - after[i]) % 12 in (0, 7) and (before[j] - before[i]) % 12 == (after[j] - after[i]) % 12
      found += same and after[i] != before[i]
  return 6 * found


def _ornamented(draw, span, here, there, limits, strict):
  low, high = limits
  half = span.length / 2
  if strict or span.length < 1:
    return [(span.start, span.length, here)]
  if abs(there - here) in (3, 4) and draw.chance(0.6):
    between = stepped(span.chord.scale, here, 1 if there > here else -1, low, high)
    return [(span.start, half, here), (span.start + half, half, between)]
  if span.length >= 2 and draw.chance(0.35):
    return [(span.start, half, here), (span.start + half, half, here)]
  if span.length >= 3 and draw.chance(0.25):
    neighbour = stepped(span.chord.scale, here, draw.pick((-1, 1)), low, high)
    return [(span.start, half, here), (span.start + half, half / 2, neighbour), (span.start + 1.5 * half, half / 2, here)]
  return [(span.start, span.length, here)]
