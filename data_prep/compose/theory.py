"""Keys, scales and chords as pitch classes (0 is C)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MODES = {
  'major': (0, 2, 4, 5, 7, 9, 11),
  'minor': (0, 2, 3, 5, 7, 8, 10),
  'dorian': (0, 2, 3, 5, 7, 9, 10),
  'mixolydian': (0, 2, 4, 5, 7, 9, 10),
}
_QUALITIES = {
  '': (0, 4, 7),
  'm': (0, 3, 7),
  'dim': (0, 3, 6),
  'aug': (0, 4, 8),
  'sus4': (0, 5, 7),
  '6': (0, 4, 7, 9),
  '7': (0, 4, 7, 10),
  'maj7': (0, 4, 7, 11),
  'm7': (0, 3, 7, 10),
  'm7b5': (0, 3, 6, 10),
  'dim7': (0, 3, 6, 9),
}
_LETTERS = {'C': 0, 'D': 2, 'E': 4, 'F': 5, 'G': 7, 'A': 9, 'B': 11}


@dataclass(frozen=True)
class Key:
  tonic: int  # pitch class
  mode: str

  @property
  def scale(self) -> tuple[int, ...]:
    """Seven pitch classes, from the tonic."""
    return tuple((self.tonic + step) % 12 for step in MODES[self.mode])

  def moved(self, semitones: int, mode: str | None = None) -> 'Key':
    return Key((self.tonic + semitones) % 12, mode or self.mode)


@dataclass(frozen=True)
class Chord:
  tones: tuple[int, ...]  # pitch classes: root, third, fifth and perhaps a seventh
  scale: tuple[int, ...]  # the seven pitch classes that melodies use over it

  @property
  def root(self) -> int:
    return self.tones[0]


def chord(key: Key, degree: int, seventh: bool = False) -> Chord:
  """The chord on a degree (1-7) of the key.  In minor the fifth degree has its leading tone."""
  scale = list(key.scale)
  if key.mode == 'minor' and degree in (5, 7):
    scale[6] = (key.tonic + 11) % 12
  places = (0, 2, 4, 6) if seventh else (0, 2, 4)
  return Chord(tuple(scale[(degree - 1 + place) % 7] for place in places), tuple(scale))


def dominant_of(key: Key, degree: int) -> Chord:
  """The dominant seventh chord that leads to a degree of the key; melodies take its four tones and the key's others."""
  root = (key.scale[degree - 1] + 7) % 12
  tones = tuple((root + step) % 12 for step in (0, 4, 7, 10))
  scale = [min(tones, key=lambda tone: _distance(tone, each)) for each in key.scale]
  fitted = tuple(near if _distance(near, each) <= 1 else each for near, each in zip(scale, key.scale, strict=True))
  return Chord(tones, tuple(dict.fromkeys(fitted)))


def chord_named(name: str, key: Key) -> Chord:
  """A chord from its symbol: a letter, # or b, and one of the qualities ('Am7', 'F#dim', 'Bb')."""
  root, rest = _LETTERS[name[0]], name[1:]
  if rest[:1] in ('#', 'b') and rest:
    root, rest = root + (1 if rest[0] == '#' else -1), rest[1:]
  tones = tuple((root + step) % 12 for step in _QUALITIES[rest])
  scale = tuple(dict.fromkeys(next((tone for tone in tones if _distance(tone, each) == 1), each) for each in key.scale))
  return Chord(tones, scale)


def transposed(each: Chord, semitones: int) -> Chord:
  return Chord(tuple((tone + semitones) % 12 for tone in each.tones), tuple((tone + semitones) % 12 for tone in each.scale))


def pitches(classes: Sequence[int], low: int, high: int) -> list[int]:
  """All pitches of these classes from low to high, both included."""
  return [pitch for pitch in range(low, high + 1) if pitch % 12 in classes]


def nearest(classes: Sequence[int], pitch: float, low: int, high: int) -> int:
  """The pitch of these classes in [low, high] that is nearest; the lower of two as near."""
  return min(pitches(classes, low, high) or [round(pitch)], key=lambda each: (abs(each - pitch), each))


def stepped(scale: Sequence[int], pitch: int, steps: int, low: int, high: int) -> int:
  """`steps` scale steps up from the scale's pitch nearest to `pitch`; turns back at the ends of [low, high]."""
  ladder = pitches(scale, low, high)
  if not ladder:
    return pitch
  at = ladder.index(nearest(scale, pitch, low, high)) + steps
  top = len(ladder) - 1
  at = -at if at < 0 else at
  at = 2 * top - at if at > top else at
  return ladder[min(max(at, 0), top)]


def voicing(each: Chord, low: int, high: int, count: int, before: Sequence[int] = ()) -> list[int]:
  """`count` chord tones in close position within [low, high], from low to high, as near to `before` as can be."""
  ladder = pitches(each.tones, low, high)
  if len(ladder) <= count:
    return ladder
  stacks = [ladder[k : k + count] for k in range(len(ladder) - count + 1)]
  goal = before or [(low + high) / 2] * count
  centre = sum(goal) / len(goal)
  return min(stacks, key=lambda stack: (abs(sum(stack) / count - centre) + 0.1 * _spread(stack), stack[0]))


def _spread(stack):
  return max((b - a for a, b in pairwise(stack)), default=0)


def _distance(a, b):
  return min((a - b) % 12, (b - a) % 12)
