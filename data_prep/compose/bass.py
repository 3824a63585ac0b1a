"""Bass lines: functions of (draw, passage, low, high) -> Line."""

from data_prep.compose.draw import Draw
from data_prep.compose.form import Passage
from data_prep.compose.melody import Line
from data_prep.compose.theory import nearest, stepped

_RIFFS = {  # (place in the bar, length, step of the chord: 0 root, 1 third, 2 fifth, 3 octave)
  'rock': ((0, 0.5, 0), (0.5, 0.5, 0), (1, 0.5, 0), (1.5, 0.5, 0), (2, 0.5, 0), (2.5, 0.5, 0), (3, 0.5, 0), (3.5, 0.5, 2)),
  'two': ((0, 1.8, 0), (2, 1.8, 2)),
  'pop': ((0, 1.4, 0), (1.5, 0.4, 0), (2, 1.4, 0), (3.5, 0.4, 2)),
  'disco': ((0, 0.4, 0), (0.5, 0.4, 3), (1, 0.4, 0), (1.5, 0.4, 3), (2, 0.4, 0), (2.5, 0.4, 3), (3, 0.4, 0), (3.5, 0.4, 3)),
  'funk': ((0, 0.4, 0), (0.75, 0.2, 0), (1.5, 0.4, 3), (2.25, 0.2, 2), (2.5, 0.4, 0), (3.5, 0.25, 2), (3.75, 0.2, 0)),
  'bossa': ((0, 1.4, 0), (1.5, 0.5, 2), (2, 1.4, 2), (3.5, 0.5, 0)),
  'tumbao': ((1.5, 1.4, 2), (3, 1, 0)),
  'long': ((0, 3.9, 0),),
  'waltz': ((0, 1.8, 0),),
  'beats': ((0, 0.9, 0), (1, 0.9, 2), (2, 0.9, 0), (3, 0.9, 2)),
  'reggae': ((0, 0.6, 0), (1, 0.4, 1), (1.5, 0.5, 2), (2.5, 0.4, 0), (3, 0.6, 0)),
}
STYLES = (*_RIFFS, 'walking')


def compose_bass(draw: Draw, passage: Passage, low: int, high: int, style: str) -> Line:
  """A bass line of one of `STYLES`; over each new chord it begins again from the root."""
  return _walking(draw, passage, low, high) if style == 'walking' else _riff(draw, passage, low, high, _RIFFS[style])


def _riff(draw, passage, low, high, riff):
  line: Line = []
  for bar in range(passage.bars):
    fill = bar % 4 == 3 and draw.chance(0.4)
    for offset, length, step in riff:
      if offset >= passage.beats:
        continue
      at = float(bar * passage.beats + offset)
      each = passage.at(at)
      root = nearest(each.tones[:1], low + 7, low, high)
      pitch = root + 12 if step == 3 else nearest(each.tones[step : step + 1], root + 4, low, high)
      line.append((at, min(length, passage.length - at), pitch if low <= pitch <= high else root))
    if fill:  # steps that lead into the next bar
      at = float((bar + 1) * passage.beats - 1)
      goal = nearest(passage.at(at + 1).tones[:1], low + 7, low, high)
      line = [note for note in line if note[0] < at]
      line += [(at + 0.5 * k, 0.45, stepped(passage.at(at).scale, goal, k - 2, low, high)) for k in range(2)]
  return line


def _walking(draw, passage, low, high):
  line: Line = []
  pitch = nearest(passage.at(0).tones[:1], low + 7, low, high)
  for span in passage.spans:
    root = nearest(span.chord.tones[:1], pitch, low, high)
    goal = nearest(passage.at(span.start + span.length).tones[:1], root + draw.spread(8), low, high)
    count = max(round(span.length), 1)
    pitch = root
    for beat in range(count):
      if beat == count - 1 and count > 1:
        pitch = goal + draw.pick((-1, 1, -2))  # leads to the next root from beside it
      elif beat:
        tones = span.chord.tones if draw.chance(0.5) else span.chord.scale
        pitch = stepped(tones, pitch, 1 if goal >= pitch else -1, low, high)
      line.append((span.start + beat, 0.92, min(max(pitch, low), high)))
    pitch = goal
  return line
