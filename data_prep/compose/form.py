"""The plan of a piece: passages in keys, with chords that lead to cadences."""

from dataclasses import dataclass

from data_prep.compose.draw import Draw
from data_prep.compose.theory import Chord, Key, chord, dominant_of

# Functions of degrees: where a phrase can go from a chord, by weight.
_MAJOR = {
  1: {4: 3, 6: 3, 2: 2, 5: 2, 3: 1},
  2: {5: 5, 7: 1, 4: 1},
  3: {6: 3, 4: 2},
  4: {5: 3, 2: 2, 1: 2},
  5: {1: 4, 6: 2},
  6: {2: 3, 4: 3, 5: 1, 3: 1},
  7: {1: 3, 3: 1},
}
_MINOR = {
  1: {4: 3, 6: 3, 7: 1, 3: 1, 5: 2},
  2: {5: 4},
  3: {6: 3, 4: 2},
  4: {5: 3, 1: 2, 2: 1},
  5: {1: 4, 6: 2},
  6: {4: 2, 2: 2, 3: 2, 5: 1},
  7: {1: 2},
}
_LOOPS = {
  'major': ((1, 5, 6, 4), (1, 6, 4, 5), (6, 4, 1, 5), (1, 4, 5, 4), (1, 5, 6, 3, 4, 1, 4, 5), (2, 5, 1, 6)),
  'minor': ((1, 6, 3, 4), (1, 4, 6, 5), (1, 4, 1, 5), (6, 4, 1, 5), (1, 6, 4, 5)),
  'dorian': ((1, 4), (1, 2, 3, 4), (1, 7, 4, 1)),
  'mixolydian': ((1, 7, 4, 1), (1, 7), (1, 4, 7, 4)),
}
_BLUES = (1, 1, 1, 1, 4, 4, 1, 1, 5, 4, 1, 5)
_FORMS = ('AABA', 'ABAB', 'AABB', 'ABAC', 'ABCA', 'ABA', 'AABAC')
HALF, FULL, OPEN = 'half', 'full', 'open'


@dataclass(frozen=True)
class Span:
  """One chord."""

  start: float  # beats from the start of its passage
  length: float
  chord: Chord


@dataclass(frozen=True)
class Passage:
  """A stretch of music in one key, of phrases of four bars."""

  name: str  # passages of one name have the same music
  start: float  # beats from the start of the piece
  beats: int  # a bar
  bars: int
  key: Key
  spans: tuple[Span, ...]
  cadences: tuple[str, ...]  # one a phrase
  energy: float  # 0-1

  @property
  def length(self) -> float:
    return self.beats * self.bars

  def at(self, beat: float) -> Chord:
    """The chord that sounds at a beat of the passage."""
    return next((span.chord for span in reversed(self.spans) if span.start <= beat + 1e-6), self.spans[0].chord)


def plan_passages(draw: Draw, *, beats: int, bars: int, modes: tuple[str, ...], harmony: str) -> list[Passage]:
  """Passages that add up to about `bars` bars.

  Args:
    draw: decides key, form and chords.
    beats: a bar.
    bars: the length that is wanted; at least 8.
    modes: to choose from.
    harmony: 'classical' (phrases with cadences), 'loop' (a repeated progression) or 'blues'.
  """
  key = Key(draw.integer(0, 11), draw.pick(modes))
  unit = 12 if harmony == 'blues' else 8 if bars >= 24 else 4
  form = draw.pick(_FORMS)
  form = (form * (bars // (unit * len(form)) + 1))[: max(bars // unit, 2)]
  form = form[:-1] + 'A' if len(form) > 2 else form
  keys = {'A': key, 'B': _related(draw.child('B key'), key), 'C': _related(draw.child('C key'), key)}
  energies = _arch(draw.child('energy'), len(form))
  passages, start = [], 0.0
  for place, name in enumerate(form):
    last = place == len(form) - 1
    spans, cadences = _harmony(draw.child(f'harmony {name}'), keys[name], beats, unit, harmony, last)
    passages.append(Passage(name, start, beats, unit, keys[name], spans, cadences, energies[place]))
    start += beats * unit
  return passages


def _related(draw, key):
  if key.mode == 'major':
    return key.moved(*draw.pick(((7, 'major'), (9, 'minor'), (5, 'major'), (0, 'major'))))
  if key.mode == 'minor':
    return key.moved(*draw.pick(((3, 'major'), (7, 'minor'), (5, 'minor'), (0, 'minor'))))
  return key.moved(draw.pick((0, 0, 5)))


def _arch(draw, count):
  """Energies that rise to a height past the middle and come back, or end high."""
  high = draw.integer(count // 2, count - 1)
  low = draw.uniform(0.1, 0.5)
  top = draw.uniform(0.6, 1.0)
  return [low + (top - low) * max(1 - abs(place - high) / max(count * 0.7, 1), 0) + draw.spread(0.08) for place in range(count)]


def _harmony(draw, key, beats, bars, harmony, last):
  if harmony == 'blues':
    degrees = [(float(bar * beats), beats, degree, True) for bar, degree in enumerate(_BLUES)]
    if last:
      degrees[-1] = (11.0 * beats, beats, 1, False)
    return tuple(Span(start, length, chord(key, degree, seventh)) for start, length, degree, seventh in degrees), (OPEN, OPEN, FULL)
  if harmony == 'loop' or key.mode in ('dorian', 'mixolydian'):
    loop = draw.pick(_LOOPS[key.mode])
    sevenths = draw.chance(0.4)
    degrees = [loop[bar % len(loop)] for bar in range(bars)]
    if last:
      degrees[-1] = 1
    return (
      tuple(Span(float(bar * beats), beats, chord(key, degree, sevenths)) for bar, degree in enumerate(degrees)),
      (OPEN,) * (bars // 4 - 1) + (FULL if last else OPEN,),
    )
  spans, cadences = [], []
  phrases = bars // 4
  for phrase in range(phrases):
    ending = FULL if phrase == phrases - 1 else HALF
    spans += _phrase(draw.child(phrase), key, beats, 4.0 * beats * phrase, ending)
    cadences.append(ending)
  return tuple(spans), tuple(cadences)


def _phrase(draw, key, beats, start, ending):
  """Four bars from the tonic to a half cadence (on the dominant) or a full one."""
  moves = _MAJOR if key.mode == 'major' else _MINOR
  split = draw.chance(0.45)  # two chords in some bars
  degrees = [1]
  slots = [(0.0, float(beats))]
  for bar in (1, 2):
    halves = ((bar * beats, 2.0), (bar * beats + 2.0, beats - 2.0)) if split and beats > 2 and draw.chance(0.6) else ((bar * beats, beats),)
    for at, length in halves:
      slots.append((float(at), float(length)))
      degrees.append(draw.weighted(moves[degrees[-1]]))
  if ending == HALF:
    if degrees[-1] in (5, 7):
      degrees[-1] = draw.pick((2, 4, 1))
    tail = [(3.0 * beats, float(beats), 5)]
  else:
    degrees[-1] = draw.pick((2, 4, 5)) if degrees[-1] != 5 else 5
    if degrees[-1] == 5 or beats == 2:
      degrees[-1] = 5
      tail = [(3.0 * beats, float(beats), 1)]
    else:
      tail = [(3.0 * beats, 1.0, 5), (3.0 * beats + 1, float(beats - 1), 1)] if draw.chance(0.3) else [(3.0 * beats, float(beats), 1)]
      degrees[-1] = degrees[-1] if len(tail) == 2 else 5
  spans = []
  for (at, length), degree, following in zip(slots, degrees, [*degrees[1:], tail[0][2]], strict=True):
    secondary = key.mode == 'major' and following in (2, 5, 6) and degree not in (1, 5) and draw.chance(0.25)
    each = dominant_of(key, following) if secondary else chord(key, degree, degree == 5 or draw.chance(0.2))
    spans.append(Span(start + at, length, each))
  return spans + [Span(start + at, length, chord(key, degree, degree == 5 and ending == FULL)) for at, length, degree in tail]
