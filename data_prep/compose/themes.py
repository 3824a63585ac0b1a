"""Tunes in the public domain, typed in by hand: traditional, or by composers who died before 1900.

A tune is written as notes `name+octave:beats` (c4 is middle C, `r` a rest) and as chords `symbol:beats`.
"""

from dataclasses import dataclass

from data_prep.compose.form import FULL, Passage, Span
from data_prep.compose.melody import Line
from data_prep.compose.theory import Key, chord_named, transposed

_NAMES = {'c': 0, 'd': 2, 'e': 4, 'f': 5, 'g': 7, 'a': 9, 'b': 11}


@dataclass(frozen=True)
class Theme:
  title: str
  key: Key
  beats: int  # a bar
  tempo: int  # beats a minute
  melody: str
  chords: str
  canon: int = 0  # beats after which another voice may begin; 0: never

  @property
  def length(self) -> float:
    return sum(float(word.split(':')[1]) for word in self.melody.split())

  def line(self, semitones: int = 0) -> Line:
    line, at = [], 0.0
    for word in self.melody.split():
      name, length = word.split(':')
      if name != 'r':
        line.append((at, float(length), _pitch(name) + semitones))
      at += float(length)
    return line

  def passage(self, name: str, start: float, semitones: int, energy: float) -> Passage:
    """The theme's chords, moved by `semitones`, as a passage of a piece."""
    spans, at = [], 0.0
    for word in self.chords.split():
      symbol, length = word.split(':')
      spans.append(Span(at, float(length), transposed(chord_named(symbol, self.key), semitones)))
      at += float(length)
    bars = round(self.length / self.beats)
    return Passage(name, start, self.beats, bars, self.key.moved(semitones), tuple(spans), (FULL,) * -(-bars // 4), energy)


def _pitch(name):
  sign = {'#': 1, 'b': -1}.get(name[1], 0)
  return 12 * (int(name[-1]) + 1) + _NAMES[name[0]] + sign


THEMES = (
  Theme(
    'Ode to Joy (Beethoven)',
    Key(2, 'major'),
    4,
    120,
    'f#4:1 f#4:1 g4:1 a4:1 a4:1 g4:1 f#4:1 e4:1 d4:1 d4:1 e4:1 f#4:1 f#4:1.5 e4:0.5 e4:2 '
    'f#4:1 f#4:1 g4:1 a4:1 a4:1 g4:1 f#4:1 e4:1 d4:1 d4:1 e4:1 f#4:1 e4:1.5 d4:0.5 d4:2 '
    'e4:1 e4:1 f#4:1 d4:1 e4:1 f#4:0.5 g4:0.5 f#4:1 d4:1 e4:1 f#4:0.5 g4:0.5 f#4:1 e4:1 d4:1 e4:1 a3:2 '
    'f#4:1 f#4:1 g4:1 a4:1 a4:1 g4:1 f#4:1 e4:1 d4:1 d4:1 e4:1 f#4:1 e4:1.5 d4:0.5 d4:2',
    'D:4 A7:4 D:4 A7:4 D:4 A7:4 D:4 A7:2 D:2 A7:2 D:2 A7:2 D:2 A7:2 D:2 E7:2 A7:2 D:4 A7:4 D:4 A7:2 D:2',
  ),
  Theme(
    'Minuet in G (Petzold)',
    Key(7, 'major'),
    3,
    126,
    'd5:1 g4:0.5 a4:0.5 b4:0.5 c5:0.5 d5:1 g4:1 g4:1 e5:1 c5:0.5 d5:0.5 e5:0.5 f#5:0.5 g5:1 g4:1 g4:1 '
    'c5:1 d5:0.5 c5:0.5 b4:0.5 a4:0.5 b4:1 c5:0.5 b4:0.5 a4:0.5 g4:0.5 f#4:1 g4:0.5 a4:0.5 b4:0.5 g4:0.5 a4:3 '
    'd5:1 g4:0.5 a4:0.5 b4:0.5 c5:0.5 d5:1 g4:1 g4:1 e5:1 c5:0.5 d5:0.5 e5:0.5 f#5:0.5 g5:1 g4:1 g4:1 '
    'c5:1 d5:0.5 c5:0.5 b4:0.5 a4:0.5 b4:1 c5:0.5 b4:0.5 a4:0.5 g4:0.5 a4:1 b4:0.5 a4:0.5 g4:0.5 f#4:0.5 g4:3',
    'G:3 G:3 C:3 G:3 Am:3 G:3 D7:3 D:3 G:3 G:3 C:3 G:3 Am:3 G:3 D7:3 G:3',
  ),
  Theme(
    'Greensleeves',
    Key(9, 'minor'),
    3,
    132,
    'c5:2 d5:1 e5:1.5 f5:0.5 e5:1 d5:2 b4:1 g4:1.5 a4:0.5 b4:1 c5:2 a4:1 a4:1.5 g#4:0.5 a4:1 b4:2 g#4:1 e4:2 a4:1 '
    'c5:2 d5:1 e5:1.5 f5:0.5 e5:1 d5:2 b4:1 g4:1.5 a4:0.5 b4:1 c5:1.5 b4:0.5 a4:1 g#4:1.5 f#4:0.5 g#4:1 a4:3 a4:3 '
    'g5:3 g5:1.5 f#5:0.5 e5:1 d5:2 b4:1 g4:1.5 a4:0.5 b4:1 c5:2 a4:1 a4:1.5 g#4:0.5 a4:1 b4:2 g#4:1 e4:3 '
    'g5:3 g5:1.5 f#5:0.5 e5:1 d5:2 b4:1 g4:1.5 a4:0.5 b4:1 c5:1.5 b4:0.5 a4:1 g#4:1.5 f#4:0.5 g#4:1 a4:3 a4:3',
    'Am:6 G:6 Am:6 E:6 Am:6 G:6 Am:3 E7:3 Am:6 C:6 G:6 Am:6 E:6 C:6 G:6 Am:3 E7:3 Am:6',
  ),
  Theme(
    'Ah vous dirai-je, maman',
    Key(0, 'major'),
    2,
    108,
    'c4:1 c4:1 g4:1 g4:1 a4:1 a4:1 g4:2 f4:1 f4:1 e4:1 e4:1 d4:1 d4:1 c4:2 g4:1 g4:1 f4:1 f4:1 e4:1 e4:1 d4:2 '
    'g4:1 g4:1 f4:1 f4:1 e4:1 e4:1 d4:2 c4:1 c4:1 g4:1 g4:1 a4:1 a4:1 g4:2 f4:1 f4:1 e4:1 e4:1 d4:1 d4:1 c4:2',
    'C:4 F:2 C:2 F:2 C:2 G7:2 C:2 C:2 F:2 C:2 G7:2 C:2 F:2 C:2 G7:2 C:4 F:2 C:2 F:2 C:2 G7:2 C:2',
  ),
  Theme(
    'Frère Jacques',
    Key(5, 'major'),
    4,
    116,
    'f4:1 g4:1 a4:1 f4:1 f4:1 g4:1 a4:1 f4:1 a4:1 bb4:1 c5:2 a4:1 bb4:1 c5:2 '
    'c5:0.5 d5:0.5 c5:0.5 bb4:0.5 a4:1 f4:1 c5:0.5 d5:0.5 c5:0.5 bb4:0.5 a4:1 f4:1 f4:1 c4:1 f4:2 f4:1 c4:1 f4:2',
    'F:4 F:4 F:4 F:4 F:4 F:4 F:1 C:1 F:2 F:1 C:1 F:2',
    canon=8,
  ),
  Theme(
    'Amazing Grace (New Britain)',
    Key(7, 'major'),
    3,
    88,
    'r:2 d4:1 g4:2 b4:0.5 g4:0.5 b4:2 a4:1 g4:2 e4:1 d4:2 d4:1 g4:2 b4:0.5 g4:0.5 b4:2 a4:1 d5:3 r:2 b4:1 '
    'd5:2 b4:0.5 g4:0.5 b4:2 a4:1 g4:2 e4:1 d4:2 d4:1 g4:2 b4:0.5 g4:0.5 b4:2 a4:1 g4:3 g4:3',
    'G:9 C:3 G:9 D:3 D7:3 G:6 C:3 G:6 D7:3 G:6',
  ),
  Theme(
    'Auld Lang Syne',
    Key(5, 'major'),
    4,
    96,
    'r:3 c4:1 f4:1.5 f4:0.5 f4:1 a4:1 g4:1.5 f4:0.5 g4:1 a4:1 f4:1.5 f4:0.5 a4:1 c5:1 d5:3 d5:1 '
    'c5:1.5 a4:0.5 a4:1 f4:1 g4:1.5 f4:0.5 g4:1 a4:1 f4:1.5 d4:0.5 d4:1 c4:1 f4:3 d5:1 '
    'c5:1.5 a4:0.5 a4:1 f4:1 g4:1.5 f4:0.5 g4:1 d5:1 c5:1.5 a4:0.5 a4:1 c5:1 d5:3 d5:1 '
    'c5:1.5 a4:0.5 a4:1 f4:1 g4:1.5 f4:0.5 g4:1 a4:1 f4:1.5 d4:0.5 d4:1 c4:1 f4:4',
    'F:4 F:4 C7:4 F:4 Bb:4 F:4 C7:4 Dm:2 C7:2 F:4 F:4 C7:4 F:4 Bb:4 F:4 C7:4 Dm:2 C7:2 F:4',
  ),
  Theme(
    'Scarborough Fair',
    Key(2, 'dorian'),
    3,
    112,
    'd4:2 d4:1 a4:2 a4:1 e4:1.5 f4:0.5 e4:1 d4:3 r:1 a4:1 c5:1 d5:2 c5:1 a4:1 b4:1 g4:1 a4:3 '
    'r:2 d5:1 d5:2 d5:1 c5:2 a4:1 a4:1 g4:1 f4:1 e4:1 c4:2 d4:2 a4:1 g4:2 f4:1 e4:1 d4:1 c4:1 d4:3',
    'Dm:6 C:3 Dm:6 F:3 G:3 Dm:3 Dm:3 Dm:3 F:3 C:3 C:3 Dm:3 C:3 C:3 Dm:3',
  ),
  Theme(
    'Silent Night (Gruber)',
    Key(0, 'major'),
    3,
    84,
    'g4:1.5 a4:0.5 g4:1 e4:3 g4:1.5 a4:0.5 g4:1 e4:3 d5:2 d5:1 b4:3 c5:2 c5:1 g4:3 '
    'a4:2 a4:1 c5:1.5 b4:0.5 a4:1 g4:1.5 a4:0.5 g4:1 e4:3 a4:2 a4:1 c5:1.5 b4:0.5 a4:1 g4:1.5 a4:0.5 g4:1 e4:3 '
    'd5:2 d5:1 f5:1.5 d5:0.5 b4:1 c5:3 e5:3 c5:1 g4:1 e4:1 g4:1.5 f4:0.5 d4:1 c4:3 c4:3',
    'C:6 C:6 G7:6 C:6 F:6 C:6 F:6 C:6 G7:6 C:6 C:3 G7:3 C:6',
  ),
  Theme(
    'Korobeiniki',
    Key(9, 'minor'),
    4,
    138,
    'e5:1 b4:0.5 c5:0.5 d5:1 c5:0.5 b4:0.5 a4:1 a4:0.5 c5:0.5 e5:1 d5:0.5 c5:0.5 b4:1.5 c5:0.5 d5:1 e5:1 c5:1 a4:1 a4:2 '
    'r:0.5 d5:1 f5:0.5 a5:1 g5:0.5 f5:0.5 e5:1.5 c5:0.5 e5:1 d5:0.5 c5:0.5 b4:1 b4:0.5 c5:0.5 d5:1 e5:1 c5:1 a4:1 a4:2',
    'E7:4 Am:4 E7:4 Am:4 Dm:4 Am:4 E7:4 Am:4',
  ),
  Theme(
    'Swan Lake (Tchaikovsky)',
    Key(11, 'minor'),
    4,
    88,
    'f#5:2 b4:0.5 c#5:0.5 d5:0.5 e5:0.5 f#5:1.5 d5:0.5 f#5:1.5 d5:0.5 f#5:1.5 b4:0.5 d5:0.5 b4:0.5 g4:0.5 d5:0.5 '
    'b4:3 e5:0.5 d5:0.5 c#5:2 b4:0.5 c#5:0.5 d5:0.5 e5:0.5 f#5:1.5 d5:0.5 f#5:1.5 d5:0.5 '
    'f#5:1.5 b4:0.5 d5:0.5 b4:0.5 g4:0.5 d5:0.5 b4:4',
    'Bm:4 Bm:4 G:4 Bm:2 G:2 F#7:4 Bm:4 G:4 Bm:4',
  ),
  Theme(
    'Lullaby (Brahms)',
    Key(5, 'major'),
    3,
    92,
    'r:2 a4:0.5 a4:0.5 c5:2 a4:0.5 a4:0.5 c5:2 a4:0.5 c5:0.5 f5:1 e5:1.5 d5:0.5 d5:1 c5:1 g4:0.5 a4:0.5 '
    'bb4:1 g4:1 g4:0.5 a4:0.5 bb4:2 g4:0.5 bb4:0.5 e5:0.5 d5:0.5 c5:1 e5:1 f5:2 f4:0.5 f4:0.5 '
    'f5:2 d5:0.5 bb4:0.5 c5:2 a4:0.5 f4:0.5 bb4:1 c5:1 d5:1 c5:2 f4:0.5 f4:0.5 '
    'f5:2 d5:0.5 bb4:0.5 c5:2 a4:0.5 f4:0.5 bb4:1 a4:1 g4:1 f4:3',
    'F:3 F:3 F:3 F:3 Gm:3 C7:3 C7:3 C7:3 F:3 Bb:3 F:3 C7:3 F:3 Bb:3 F:3 C7:3 F:3',
  ),
)
