"""Drum grooves with ghost notes, fills and crashes."""

from data_prep.compose import instruments as kit
from data_prep.compose.draw import Draw
from data_prep.compose.form import Passage

Hit = tuple[float, int, float]  # beat from the start of the passage, drum, strength 0-1

# A row is a bar of sixteenths (of 12 where the beat is divided in three): X accent, x stroke, o soft, . none.
_GROOVES: dict[str, dict[int, str]] = {
  'rock': {kit.KICK: 'X.......x.x.....', kit.SNARE: '....X.......X...', kit.CLOSED_HAT: 'X.x.X.x.X.x.X.x.'},
  'half time': {kit.KICK: 'X.....x.....o...', kit.SNARE: '........X.......', kit.RIDE: 'X.x.x.x.X.x.x.x.'},
  'disco': {kit.KICK: 'X...X...X...X...', kit.SNARE: '....X.......X...', kit.OPEN_HAT: '..x...x...x...x.', kit.CLAP: '....o.......o...'},
  'funk': {kit.KICK: 'X.x...x...x..x..', kit.SNARE: '....X..o.o..X..o', kit.CLOSED_HAT: 'XoxoXoxoXoxoXoxo'},
  'bossa': {kit.KICK: 'X..xX..xX..xX..x', kit.SIDE_STICK: 'x..x..x...x..x..', kit.CLOSED_HAT: 'xoxoxoxoxoxoxoxo'},
  'samba': {
    kit.KICK: 'X..xX..xX..xX..x',
    kit.CABASA: 'XooxXooxXooxXoox',
    kit.TAMBOURINE: '..x...x...x...x.',
    kit.LOW_CONGA: '......x.......xx',
  },
  'latin': {
    kit.COWBELL: 'X...x...X...x...',
    kit.MUTE_CONGA: 'x.o.x.o.x.o.x.o.',
    kit.OPEN_CONGA: '......xx......xx',
    kit.CLAVES: 'x..x..x...x.x...',
  },
  'march': {kit.KICK: 'X.......X.......', kit.SNARE: 'x.ooX.oox.ooXooo', kit.CRASH_2: 'o...............'},
  'train': {kit.KICK: 'X...x...X...x...', kit.SNARE: 'oxoXoxoXoxoXoxoX', kit.PEDAL_HAT: '....x.......x...'},
  'tribal': {
    kit.KICK: 'X.....X...X.....',
    41: 'x..x..x.x..x..x.',
    45: '..x..x.....x..xx',
    48: '....x.......x...',
    kit.CABASA: 'xoxoxoxoxoxoxoxo',
  },
  'electronic': {
    kit.KICK: 'X...X...X...X..x',
    kit.CLAP: '....X.......X...',
    kit.CLOSED_HAT: '..xo..xo..xo..xo',
    kit.MARACAS: 'o.o.o.o.o.o.o.o.',
  },
  'reggae': {kit.KICK: '........X.......', kit.SIDE_STICK: '........x.......', kit.CLOSED_HAT: 'x.xox.xox.xox.xo'},
  'swing': {kit.RIDE: 'X..x.xX..x.x', kit.PEDAL_HAT: '...x.....x..', kit.KICK: 'o..o..o..o..', kit.SNARE: '.....o......'},
  'shuffle': {kit.KICK: 'X.....X.x...', kit.SNARE: '...X.....X..', kit.CLOSED_HAT: 'X.xX.xX.xX.x'},
  'waltz': {kit.KICK: 'X...........', kit.SNARE: '....o...o...', kit.CLOSED_HAT: 'x...x...x.x.'},
  'waltz swing': {kit.KICK: 'X.......o', kit.RIDE: 'X..x.xx.x', kit.PEDAL_HAT: '...x..x..'},
  'polka': {kit.KICK: 'X...X...', kit.SNARE: '..x...x.', kit.CLOSED_HAT: 'x.x.x.x.'},
}
_BEATS = {'waltz': 3, 'waltz swing': 3, 'polka': 2}  # of the groove's bar; the others have 4
_STRENGTH = {'X': 1.0, 'x': 0.75, 'o': 0.42}
SWUNG = ('swing', 'shuffle', 'waltz swing')


def grooves_for(beats: int) -> tuple[str, ...]:
  """The grooves of a bar of so many beats."""
  return tuple(name for name in _GROOVES if _BEATS.get(name, 4) == beats)


def compose_drums(draw: Draw, passage: Passage, groove: str, first: bool) -> list[Hit]:
  """The groove over a passage: a crash where it begins, a fill at the end of every fourth or eighth bar."""
  rows = _GROOVES[groove]
  ghosts = draw.uniform(0, 0.12) * passage.energy
  every = draw.pick((4, 4, 8))
  hits: list[Hit] = []
  for bar in range(passage.bars):
    start = float(bar * passage.beats)
    fill = (bar + 1) % every == 0 and draw.chance(0.8)
    room = draw.pick((1, 1, 2)) if fill and passage.beats > 2 else 1 if fill else 0
    for drum, row in rows.items():
      unit = passage.beats / len(row)
      for k, mark in enumerate(row):
        at = k * unit
        if at >= passage.beats - room:
          break
        if mark in _STRENGTH:
          hits.append((start + at, drum, _STRENGTH[mark]))
        elif drum == kit.SNARE and draw.chance(ghosts):
          hits.append((start + at, drum, 0.3))
    if fill:
      hits += _fill(draw, start + passage.beats - room, room, groove in SWUNG)
    if bar == 0 and (not first or draw.chance(0.5)):
      hits.append((start, draw.pick((kit.CRASH, kit.CRASH_2)), 0.9))
  return hits


def _fill(draw, start, room, swung):
  """Strokes down the toms, louder towards the end."""
  unit = 1 / 3 if swung else draw.pick((0.25, 0.25, 0.5))
  count = round(room / unit)
  drums = (kit.SNARE, *reversed(kit.TOMS))
  path = sorted(draw.integer(0, len(drums) - 1) for _ in range(count))
  hits = [(start + k * unit, drums[place], 0.6 + 0.4 * k / count) for k, place in enumerate(path) if k == 0 or draw.chance(0.9)]
  return hits + ([(start, kit.KICK, 0.8)] if draw.chance(0.6) else [])
