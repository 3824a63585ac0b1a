"""A piece of music: an ensemble plays a form, or a theme."""

from dataclasses import replace

from data_prep.compose.accompaniment import FIGURES
from data_prep.compose.bass import compose_bass
from data_prep.compose.chorale import compose_chorale
from data_prep.compose.draw import Draw
from data_prep.compose.drumming import SWUNG, compose_drums, grooves_for
from data_prep.compose.ensembles import DRUMS, Ensemble, choose_ensemble
from data_prep.compose.form import Passage, plan_passages
from data_prep.compose.instruments import is_held, playing_range
from data_prep.compose.melody import Line, compose_melody, counter_melody, in_thirds, moved, running, varied
from data_prep.compose.performance import choose_manner, closing, pedal, perform, strike
from data_prep.compose.score import Score, Voice
from data_prep.compose.themes import THEMES, Theme

_PEDALLED = (0, 1, 2, 4, 5, 11, 46)
_TRIES = 20


def compose_piece(draw: Draw, seconds: tuple[float, float] = (40, 120), ensemble: str = '', theme: str = '') -> Score:
  """Composes a piece.

  Args:
    draw: the seed of everything in it.
    seconds: shortest and longest.
    ensemble: a name in `ensembles.ENSEMBLES`; empty: any.
    theme: a title in `themes.THEMES`, 'any', or empty for a tune of its own.
  """
  band = choose_ensemble(draw.child('ensemble'), ensemble)
  plan = draw.child('plan')
  wanted = plan.uniform(seconds[0] + 0.1 * (seconds[1] - seconds[0]), seconds[1] - 0.2 * (seconds[1] - seconds[0]))
  tune = next((each for each in THEMES if each.title == theme), plan.pick(THEMES) if theme else None)
  if tune:
    tempo = tune.tempo * plan.uniform(0.88, 1.12)
    passages, lines = _on_theme(plan, tune, tempo, wanted)
    texture = (
      'canon' if tune.canon and 'canon' in band.textures else plan.pick([each for each in band.textures if each != 'solo'] or ['song'])
    )
  else:
    tempo = plan.uniform(*band.tempi)
    beats = plan.pick(band.beats)
    bars = max(round(wanted * tempo / 60 / beats), 8)
    passages = plan_passages(
      plan.child('form'), beats=beats, bars=bars, modes=band.modes, harmony=plan.pick(band.harmony) if beats != 2 else 'classical'
    )
    lines = {}
    texture = plan.pick(band.textures)
  grooves = [name for name in band.grooves if name in grooves_for(passages[0].beats)]
  groove = plan.pick(grooves) if grooves else ''
  stage = _Stage(draw.child('parts'), band, passages, lines, tempo, groove)
  getattr(stage, texture)(tune)
  end = passages[-1].start + passages[-1].length
  for voice in stage.voices:
    if voice.program in _PEDALLED and not voice.drums and plan.chance(0.6):
      pedal(voice, passages, plan.child(f'pedal {voice.program}'))
  title = f'{tune.title if tune else texture.title()} for {band.name}'
  return Score(title, (passages[0].beats, 4), closing(tempo, end, passages[0].beats, plan), stage.voices)


def _on_theme(draw, tune: Theme, tempo, wanted):
  """The theme once or more, at the pitch and length that fit; returns the passages and the tune over each."""
  once = tune.length * 60 / tempo
  times = max(min(round(wanted / once), 4), 1)
  shift = draw.integer(-5, 6)
  passages, lines = [], {}
  for k in range(times):
    passage = tune.passage(f'theme {k}', k * tune.length, shift, 0.35 + 0.5 * k / max(times - 1, 1))
    passages.append(passage)
    line = tune.line(shift)
    lines[passage.name] = varied(draw.child(k), line, passage, 30, 100) if k and draw.chance(0.5) else line
  return passages, lines


def compose_within(draw: Draw, seconds: tuple[float, float], ensemble: str = '', theme: str = '') -> Score:
  """`compose_piece`, drawn again until the length is right: a theme repeated, or a slow end, can miss it."""
  score = compose_piece(draw.child(0), seconds, ensemble, theme)
  for attempt in range(1, _TRIES):
    if seconds[0] <= score.seconds <= seconds[1]:
      break
    score = compose_piece(draw.child(attempt), seconds, ensemble, theme)
  return score


class _Stage:
  """The players of one piece; each texture is a method that gives them their notes."""

  def __init__(self, draw: Draw, band: Ensemble, passages: list[Passage], lines: dict[str, Line], tempo: float, groove: str):
    self.draw, self.band, self.passages, self.lines, self.tempo, self.groove = draw, band, passages, lines, tempo, groove
    self.swing = groove in SWUNG
    count = len(band.players)
    self.voices = [
      Voice(
        program=0 if player.program == DRUMS else player.program,
        drums=player.program == DRUMS,
        pan=64 if count == 1 else round(64 + 50 * ((k + 0.5) / count - 0.5)),
        volume=draw.integer(88, 112),
      )
      for k, player in enumerate(band.players)
    ]

  def _able(self, role):
    return [k for k, player in enumerate(self.band.players) if role in player.roles.split()]

  def _play(self, k, line, passage, role, place=0):
    program = self.band.players[k].program
    draw = self.draw.child(('play', k, role, place))
    manner = choose_manner(draw.child('manner'), passage, role, tempo=self.tempo, swing=self.swing, held=is_held(program))
    if role == 'bass' and self.groove:
      manner = replace(manner, ratio=1.0)  # its figures say how long their notes are
    self.voices[k].notes += perform(draw, line, passage, manner)

  def _register(self, k, role):
    """The range of a role: where one player has both hands full, the melody lies above the chords."""
    player = self.band.players[k]
    low, high = playing_range(player.program)
    roles = player.roles.split()
    if role in ('lead', 'second', 'solo', 'voice'):
      if 'comp' in roles and role == 'lead':
        return max(low, (low + high) // 2 - 2), high - 3
      return low + 2, high - 4
    if role == 'bass':
      return low, min(low + 24, high)
    if 'lead' in roles:
      return low + (high - low) // 6, (low + high) // 2 + 1
    return low + (high - low) // 8, high - (high - low) // 4

  def _melody(self, passage, k, role='lead'):
    low, high = self._register(k, role)
    if passage.name in self.lines:
      return moved(self.lines[passage.name], low, high)
    return compose_melody(
      self.draw.child(('melody', passage.name)), passage, max(low, (low + high) // 2 - 10), min(high, (low + high) // 2 + 10)
    )

  def song(self, tune) -> None:
    """A melody with what belongs under it."""
    leads = self._able('lead')
    order = self.draw.child('leads').shuffled(leads)
    seen: set[str] = set()
    for place, passage in enumerate(self.passages):
      draw = self.draw.child(('song', place))
      lead = order[place % len(order)] if draw.chance(0.7) else order[0]
      line = self._melody(passage, lead)
      if passage.name in seen and draw.chance(0.6):
        line = varied(draw, line, passage, *self._register(lead, 'lead'))
      seen.add(passage.name)
      self._play(lead, line, passage, 'lead', place)
      self._under(draw, passage, place, lead, line)

  def _under(self, draw, passage, place, lead, line):
    last = place == len(self.passages) - 1
    full = passage.energy > 0.4 or last
    for k, player in enumerate(self.band.players):
      roles = player.roles.split()
      alone = len(self.band.players) == 1
      if player.program == DRUMS:
        if place or draw.chance(0.6):
          hits = compose_drums(self.draw.child(('drums', passage.name, place % 2)), passage, self.groove or 'rock', place == 0)
          self.voices[k].notes += strike(draw, hits, passage, 70 + 45 * passage.energy, self.swing)
        continue
      if 'comp' in roles and (alone or k != lead or is_keyboard(player.program)) and (alone or full or draw.chance(0.75)):
        names = [name for name in self.band.figures if name != 'waltz' or passage.beats == 3]
        name = self.draw.child(('figure', k, passage.name)).pick(names)
        low, high = self._register(k, 'comp')
        self._play(k, FIGURES[name](draw.child(('comp', k)), passage, low, high), passage, 'comp', place)
      if k == lead:
        continue
      if 'second' in roles and (full or draw.chance(0.5)):
        low, high = self._register(k, 'second')
        if draw.chance(0.5):
          self._play(k, in_thirds(moved(line, low, high), passage, low, high, draw.pick((-2, -5, -2))), passage, 'second', place)
        else:
          self._play(k, counter_melody(draw.child(('counter', k)), passage, low, high), passage, 'second', place)
      elif 'pad' in roles and (full or draw.chance(0.5)):
        self._play(k, FIGURES['held'](draw.child(('pad', k)), passage, *self._register(k, 'pad')), passage, 'pad', place)
      if 'bass' in roles and (full or place or draw.chance(0.7)):
        styles = [style for style in self.band.basses if passage.beats == 4 or style in ('long', 'waltz', 'beats', 'walking', 'two')]
        style = self.draw.child(('bass', k, passage.name)).pick(styles or ['beats'])
        self._play(k, compose_bass(draw.child(('bass', k)), passage, *self._register(k, 'bass'), style), passage, 'bass', place)

  def chorale(self, tune) -> None:
    """All voices move together; the tune, if there is one, on top."""
    players = self._able('voice') or self._able('lead')
    if len(players) < 2:
      return self.song(tune)
    players = players[:5]
    ranges = [self._register(k, 'voice') for k in players]
    ranges = [(max(low, (low + high) // 2 - 11), min(high, (low + high) // 2 + 11)) for low, high in ranges]
    for place, passage in enumerate(self.passages):
      soprano = self.lines.get(passage.name)
      own = self.draw.child(('chorale tune', passage.name))
      if soprano is None and own.chance(0.5):
        soprano = compose_melody(own, passage, *ranges[0])
      soprano = moved(soprano, *ranges[0]) if soprano else None
      lines = compose_chorale(self.draw.child(('chorale', passage.name)), passage, ranges, soprano)
      for k, line in zip(players, lines, strict=True):
        self._play(k, line, passage, 'voice', place)
    return None

  def canon(self, tune) -> None:
    """One melody, entered by one voice after the other over chords that come round again."""
    players = self._able('voice') or self._able('lead')
    if len(players) < 2:
      return self.song(tune)
    first = self.passages[0]
    delay = float(tune.canon) if tune and tune.canon else 0.0
    if delay:
      melody = list(self.lines.get(first.name, []))
      total = sum(passage.length for passage in self.passages)
      rounds = max(round(total / first.length), 1)
      whole = [(start + r * first.length, length, pitch) for r in range(rounds) for start, length, pitch in melody]
    else:
      whole, delay = self._round(first), first.beats * 2.0
      total = sum(passage.length for passage in self.passages)
    passage = replace(first, bars=round(total / first.beats))
    for entry, k in enumerate(players[:4]):
      low, high = self._register(k, 'voice')
      line = [(start + entry * delay, length, pitch) for start, length, pitch in moved(whole, low, high)]
      line = [note for note in line if note[0] + note[1] <= total + 1e-6]
      self._play(k, line, passage, 'voice', entry)
    return None

  def _round(self, first):
    """A melody as long as the piece over two bars of chords that repeat, so that it agrees with itself two bars later."""
    beats = first.beats
    total_bars = round(sum(passage.length for passage in self.passages) / beats)
    loop = [replace(span, length=min(span.length, 2.0 * beats - span.start)) for span in first.spans if span.start < 2 * beats]
    spans = tuple(replace(span, start=span.start + 2.0 * beats * r) for r in range(-(-total_bars // 2)) for span in loop)
    spans = tuple(span for span in spans if span.start < total_bars * beats)
    middle = 66
    ground = replace(first, bars=total_bars, spans=spans, cadences=('open',) * -(-total_bars // 4))
    return compose_melody(self.draw.child('round'), ground, middle - 8, middle + 8)

  def solo(self, tune) -> None:
    """One line alone, in even notes and in phrases by turns."""
    k = (self._able('solo') or self._able('lead'))[0]
    low, high = self._register(k, 'solo')
    unit = self.draw.pick((0.5, 0.25, 0.5, 1 / 3))
    for place, passage in enumerate(self.passages):
      own = self.draw.child(('solo', passage.name))
      line = running(own, passage, low, high, unit) if place % 3 != 1 else compose_melody(own, passage, low + 3, high - 3)
      self._play(k, line, passage, 'solo', place)


def is_keyboard(program: int) -> bool:
  """Whether one player can have a melody and its chords at once."""
  return program < 16 or program in (16, 17, 18, 19, 21, 23, 24, 25, 26, 45, 46, 104, 107, 108, 114)
