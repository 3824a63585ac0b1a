"""From lines to notes as a player would play them: dynamics, accents, articulation, timing, pedal."""

from dataclasses import dataclass

from data_prep.compose.draw import Draw
from data_prep.compose.form import Passage
from data_prep.compose.melody import Line
from data_prep.compose.score import Note, Voice

ARTICULATIONS = {'legato': 1.0, 'plain': 0.9, 'portato': 0.72, 'staccato': 0.42}
_LOUDER = {'lead': 9, 'second': 0, 'comp': -10, 'pad': -14, 'bass': -1, 'voice': 0, 'solo': 6}


@dataclass(frozen=True)
class Manner:
  """How one player plays one passage."""

  loud: float  # velocity of an unaccented note
  swell: float  # velocity gained from the first to the last bar
  accent: float  # velocity gained on the first beat
  ratio: float  # sounding share of a note's length
  looseness: float  # beats; how far notes stray from their places
  swing: bool = False


def choose_manner(draw: Draw, passage: Passage, role: str, *, tempo: float, swing: bool, held: bool) -> Manner:
  """A manner that suits the passage's energy, the role and the instrument (`held`: bowed, blown or an organ)."""
  choices = {'legato': 3, 'plain': 3, 'portato': 1, 'staccato': 1.5} if held else {'legato': 2, 'plain': 4, 'portato': 1, 'staccato': 0.7}
  if role in ('pad', 'voice'):
    choices = {'legato': 4, 'plain': 2, 'portato': 0.3}
  return Manner(
    loud=46 + 50 * passage.energy + _LOUDER[role] + draw.spread(8),
    swell=draw.pick((0, 0, 14, 22, -14)),
    accent=draw.uniform(3, 14),
    ratio=ARTICULATIONS[draw.weighted(choices)],
    looseness=draw.uniform(0.003, 0.014) * tempo / 60,
    swing=swing,
  )


def perform(draw: Draw, line: Line, passage: Passage, manner: Manner) -> list[Note]:
  """The line as notes of the piece; a passage's dynamics go over its whole length, accents follow the meter."""
  notes = []
  for start, length, pitch in line:
    place = start % passage.beats
    accent = manner.accent if place < 0.01 else 0.5 * manner.accent if place % 2 < 0.01 else 0.2 * manner.accent if place % 1 < 0.01 else 0
    velocity = manner.loud + manner.swell * (start / passage.length - 0.5) + accent + draw.spread(6)
    begin, end = (swung(start), swung(start + length)) if manner.swing else (start, start + length)
    begin = max(passage.start + begin + draw.spread(manner.looseness), 0.0)
    end = passage.start + end
    ratio = manner.ratio if length < 2 else max(manner.ratio, 0.85)
    notes.append(Note(begin, max((end - begin) * ratio, 0.06), pitch, min(max(round(velocity), 18), 124)))
  return notes


def strike(draw: Draw, hits, passage: Passage, loud: float, swing: bool) -> list[Note]:
  """Drum hits (beat, drum, strength 0-1) as notes."""
  notes = []
  for at, drum, strength in hits:
    velocity = loud * (0.25 + 0.75 * strength) + draw.spread(7)
    at = swung(at) if swing else at
    notes.append(Note(max(passage.start + at + draw.spread(0.012), 0.0), 0.2, drum, min(max(round(velocity), 12), 127)))
  return notes


def swung(beat: float) -> float:
  """Off-beats a third of a beat before the next beat; what is divided in three already stays."""
  whole, part = divmod(beat, 1)
  if abs(part - 0.5) < 0.01:
    return whole + 2 / 3
  if abs(part - 0.25) < 0.01 or abs(part - 0.75) < 0.01:
    return whole + (1 / 3 if part < 0.5 else 5 / 6)
  return beat


def pedal(voice: Voice, passages: list[Passage], draw: Draw) -> None:
  """A sustain pedal that changes with the chords, in some of the passages."""
  for passage in passages:
    if draw.chance(0.65):
      for span in passage.spans:
        begin = passage.start + span.start
        voice.controls.append((begin + 0.06, 64, 127))
        voice.controls.append((begin + span.length - 0.02, 64, 0))


def closing(tempo: float, end: float, beats: int, draw: Draw) -> list[tuple[float, float]]:
  """Tempo marks of a piece that ends at `end`: even, with a slowing of the last bar or two if the draw says so."""
  marks = [(0.0, tempo)]
  if draw.chance(0.6):
    span = beats * draw.pick((1, 2))
    low = draw.uniform(0.6, 0.85)
    steps = 2 * span
    marks += [(end - span + 0.5 * k, tempo * (1 - (1 - low) * (k + 1) / steps)) for k in range(steps) if end - span + 0.5 * k > 0]
  return marks
