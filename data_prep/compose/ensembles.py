"""Who plays together, and what they are apt to play."""

from dataclasses import dataclass

from data_prep.compose.draw import Draw

DRUMS = -1
_CLASSICAL = ('classical', 'classical', 'loop')
_BANDS = ('loop', 'loop', 'classical')
_MODES = ('major', 'minor', 'major', 'dorian')


@dataclass(frozen=True)
class Player:
  """A program and the roles it takes: lead, second, comp (chords), pad, bass, voice (of a chorale), solo."""

  program: int  # DRUMS for a drum kit
  roles: str


@dataclass(frozen=True)
class Ensemble:
  name: str
  cast: str  # 'PROGRAM ROLE ROLE, ...', `drums` for a kit
  tempi: tuple[int, int] = (72, 138)
  harmony: tuple[str, ...] = _CLASSICAL
  modes: tuple[str, ...] = _MODES
  textures: tuple[str, ...] = ('song',)  # song, chorale, canon or solo
  figures: tuple[str, ...] = ('alberti', 'up and down', 'wide', 'beats', 'waltz', 'held', 'halves')
  basses: tuple[str, ...] = ('long', 'two', 'beats')
  grooves: tuple[str, ...] = ()
  beats: tuple[int, ...] = (4, 4, 3)

  @property
  def players(self) -> tuple[Player, ...]:
    words = [word.split(maxsplit=1) for word in self.cast.replace('drums', f'{DRUMS} drums').split(',')]
    return tuple(Player(int(program), roles) for program, roles in words)


_PIANO = ('alberti', 'up and down', 'wide', 'wide sixteenths', 'sixteenths', 'beats', 'waltz', 'held', 'triplets', 'halves', 'eighths')
_GUITAR = ('up and down', 'wide', 'up', 'triplets', 'strum', 'wide sixteenths')
_BAND = ('eighths', 'offbeats', 'stabs', 'charleston', 'held', 'beats', 'ostinato')
_SONG_OR_CHORALE = ('song', 'chorale', 'chorale', 'canon')
_ROCK = ('rock', 'pop', 'two', 'funk', 'disco')

ENSEMBLES = (
  Ensemble('solo piano', '0 lead comp', (60, 150), textures=('song', 'song', 'song', 'solo'), figures=_PIANO, beats=(4, 3, 4, 2)),
  Ensemble('bright piano', '1 lead comp', (90, 160), harmony=('loop', 'classical', 'blues'), figures=_PIANO),
  Ensemble('solo guitar', '24 lead comp', (60, 126), textures=('song', 'song', 'solo'), figures=_GUITAR),
  Ensemble('steel guitar', '25 lead comp', (76, 132), harmony=_BANDS, figures=_GUITAR),
  Ensemble('string quartet', '40 lead voice, 40 second voice, 41 comp voice, 42 bass voice', textures=_SONG_OR_CHORALE),
  Ensemble('string trio', '40 lead voice, 41 second comp voice, 42 bass voice', textures=_SONG_OR_CHORALE),
  Ensemble('violin and piano', '40 lead second, 0 comp lead', figures=_PIANO),
  Ensemble('cello and piano', '42 lead second, 0 comp', (60, 108), figures=_PIANO),
  Ensemble('piano trio', '40 lead, 42 lead second, 0 comp', figures=_PIANO),
  Ensemble('string orchestra', '48 lead voice, 49 second pad voice, 48 comp voice, 43 bass voice', textures=_SONG_OR_CHORALE),
  Ensemble('wind quintet', '73 lead voice, 68 lead voice, 71 second voice, 60 comp voice, 70 bass voice', textures=_SONG_OR_CHORALE),
  Ensemble('flute and guitar', '73 lead second, 24 comp lead', figures=_GUITAR),
  Ensemble('oboe and bassoon', '68 lead voice, 69 second voice, 70 bass voice', textures=_SONG_OR_CHORALE),
  Ensemble('clarinets', '71 lead voice, 71 second voice, 71 bass voice', textures=_SONG_OR_CHORALE),
  Ensemble('recorders', '74 lead voice, 74 second voice, 75 comp voice', (84, 132), textures=_SONG_OR_CHORALE),
  Ensemble('solo flute', '73 solo lead', (80, 132), textures=('solo',)),
  Ensemble('solo violin', '40 solo lead', (80, 132), textures=('solo',)),
  Ensemble('solo cello', '42 solo lead', (72, 120), textures=('solo',)),
  Ensemble('brass quintet', '56 lead voice, 56 second voice, 60 comp voice, 57 voice, 58 bass voice', textures=_SONG_OR_CHORALE),
  Ensemble('trombones', '57 lead voice, 57 second voice, 57 comp voice, 58 bass voice', (66, 112), textures=('chorale', 'song')),
  Ensemble('horns', '60 lead voice, 60 second voice, 60 comp voice, 57 bass voice', (66, 120), textures=_SONG_OR_CHORALE),
  Ensemble(
    'muted trumpet',
    '59 lead, 0 comp, 32 bass, drums',
    (92, 176),
    ('blues', 'loop', 'classical'),
    figures=('charleston', 'held'),
    basses=('walking', 'two'),
    grooves=('swing', 'shuffle', 'waltz swing'),
    beats=(4, 4, 3),
  ),
  Ensemble('saxophones', '64 lead voice, 65 second voice, 66 comp voice, 67 bass voice', textures=_SONG_OR_CHORALE, harmony=_BANDS),
  Ensemble(
    'sax and trio',
    '65 lead second, 66 lead second, 0 comp, 32 bass, drums',
    (92, 184),
    ('blues', 'loop', 'classical'),
    figures=('charleston', 'stabs', 'held'),
    basses=('walking', 'two'),
    grooves=('swing', 'shuffle', 'bossa'),
    beats=(4,),
  ),
  Ensemble(
    'rock band',
    '27 lead, 29 comp, 30 lead comp, 33 bass, drums',
    (96, 168),
    _BANDS,
    figures=('eighths', 'stabs', 'held', 'strum'),
    basses=_ROCK,
    grooves=('rock', 'half time', 'funk'),
    beats=(4,),
  ),
  Ensemble(
    'pop band',
    '4 comp, 25 comp, 52 pad, 80 lead, 34 bass, drums',
    (88, 132),
    _BANDS,
    figures=_BAND,
    basses=_ROCK,
    grooves=('rock', 'disco', 'electronic', 'half time'),
    beats=(4,),
  ),
  Ensemble(
    'funk band',
    '7 comp, 28 comp, 61 lead second, 66 lead, 36 bass, drums',
    (92, 120),
    _BANDS,
    ('dorian', 'mixolydian', 'minor'),
    figures=('stabs', 'offbeats', 'ostinato'),
    basses=('funk',),
    grooves=('funk', 'disco'),
    beats=(4,),
  ),
  Ensemble(
    'latin band',
    '24 comp, 11 lead, 73 lead, 32 bass, drums',
    (96, 140),
    _BANDS,
    figures=('charleston', 'offbeats', 'strum'),
    basses=('bossa', 'tumbao', 'two'),
    grooves=('bossa', 'samba', 'latin'),
    beats=(4,),
  ),
  Ensemble(
    'salsa',
    '0 comp, 56 lead second, 57 second, 32 bass, drums',
    (140, 184),
    _BANDS,
    figures=('ostinato', 'stabs', 'eighths'),
    basses=('tumbao',),
    grooves=('latin', 'samba'),
    beats=(4,),
  ),
  Ensemble(
    'reggae',
    '16 comp, 26 comp, 57 lead, 33 bass, drums',
    (66, 92),
    _BANDS,
    figures=('offbeats',),
    basses=('reggae',),
    grooves=('reggae',),
    beats=(4,),
  ),
  Ensemble(
    'country',
    '105 comp, 110 lead, 25 comp, 22 lead, 32 bass, drums',
    (96, 144),
    _BANDS,
    ('major', 'mixolydian'),
    figures=('strum', 'up and down', 'offbeats'),
    basses=('two', 'beats'),
    grooves=('train', 'shuffle'),
    beats=(4,),
  ),
  Ensemble(
    'marching band',
    '72 lead, 56 lead second, 71 second, 58 bass, 57 comp, drums',
    (100, 126),
    ('classical',),
    ('major',),
    figures=('offbeats', 'beats'),
    basses=('beats', 'two'),
    grooves=('march', 'polka'),
    beats=(4, 2),
  ),
  Ensemble(
    'polka',
    '21 lead comp, 71 lead second, 58 bass, drums',
    (100, 132),
    ('classical',),
    ('major',),
    figures=('offbeats',),
    basses=('beats',),
    grooves=('polka', 'waltz'),
    beats=(2, 3),
  ),
  Ensemble('organ', '19 lead voice, 19 second voice, 19 comp voice, 19 bass voice', (60, 100), ('classical',), textures=_SONG_OR_CHORALE),
  Ensemble('trumpet and organ', '56 lead, 19 comp bass', (72, 116), ('classical',), figures=('held', 'eighths', 'up and down')),
  Ensemble(
    'harpsichord',
    '6 lead comp',
    (80, 132),
    ('classical',),
    textures=('song', 'solo'),
    figures=('alberti', 'up and down', 'sixteenths', 'beats'),
  ),
  Ensemble('baroque group', '74 lead, 40 second, 6 comp, 42 bass', (76, 126), ('classical',), figures=('beats', 'up and down', 'halves')),
  Ensemble(
    'mallets',
    '12 comp lead, 11 lead, 13 lead second, 9 second',
    (84, 144),
    _BANDS,
    figures=('ostinato', 'sixteenths', 'tremolo', 'up and down'),
  ),
  Ensemble(
    'vibraphone',
    '11 lead comp, 32 bass, drums',
    (92, 160),
    _BANDS,
    figures=('held', 'charleston'),
    basses=('walking', 'two'),
    grooves=('swing', 'bossa'),
    beats=(4,),
  ),
  Ensemble('bells', '14 lead, 8 second comp, 10 comp, 48 pad', (60, 104), figures=('up and down', 'sixteenths', 'up')),
  Ensemble('harp', '46 lead comp', (56, 108), textures=('song', 'solo'), figures=('wide', 'wide sixteenths', 'up and down', 'triplets')),
  Ensemble('flute and harp', '73 lead, 46 comp, 41 second', (60, 112), figures=('wide', 'wide sixteenths', 'triplets')),
  Ensemble(
    'choir', '52 lead voice, 52 second voice, 53 comp voice, 52 bass voice', (56, 96), ('classical',), textures=('chorale', 'canon', 'song')
  ),
  Ensemble(
    'choir and organ', '52 lead voice, 53 second voice, 52 voice, 19 comp bass voice', (60, 100), ('classical',), textures=('chorale',)
  ),
  Ensemble(
    'orchestra',
    '40 lead, 73 lead second, 68 second, 60 pad, 48 comp pad, 45 comp, 42 bass, 47 bass',
    (66, 132),
    figures=('eighths', 'held', 'beats', 'up and down'),
  ),
  Ensemble('pizzicato', '45 lead comp, 45 second, 32 bass', (84, 144), figures=('offbeats', 'up and down', 'beats')),
  Ensemble(
    'film strings',
    '49 pad, 44 comp, 60 lead, 46 comp, 43 bass, 47 bass',
    (66, 120),
    _BANDS,
    ('minor', 'dorian', 'major'),
    figures=('held', 'ostinato', 'sixteenths'),
  ),
  Ensemble(
    'synthesizers',
    '81 lead, 80 comp, 89 pad, 38 bass, drums',
    (96, 140),
    _BANDS,
    ('minor', 'dorian', 'minor'),
    figures=('sixteenths', 'ostinato', 'offbeats'),
    basses=('disco', 'rock', 'funk'),
    grooves=('electronic', 'disco'),
    beats=(4,),
  ),
  Ensemble('slow synths', '88 pad, 91 pad, 82 lead, 99 comp, 39 bass', (56, 88), _BANDS, figures=('held', 'up and down', 'wide')),
  Ensemble(
    'synth lead',
    '86 lead, 90 comp, 62 second comp, 39 bass, drums',
    (110, 150),
    _BANDS,
    figures=('stabs', 'eighths', 'sixteenths'),
    basses=('disco', 'rock'),
    grooves=('electronic', 'rock'),
    beats=(4,),
  ),
  Ensemble(
    'electric piano',
    '5 lead comp, 35 bass, drums',
    (66, 108),
    _BANDS,
    figures=('charleston', 'held', 'up and down'),
    basses=('pop', 'funk', 'bossa'),
    grooves=('half time', 'bossa', 'funk'),
    beats=(4,),
  ),
  Ensemble(
    'jazz guitar',
    '26 lead comp, 32 bass, drums',
    (84, 168),
    ('blues', 'loop', 'classical'),
    figures=('charleston', 'held'),
    basses=('walking',),
    grooves=('swing', 'waltz swing'),
    beats=(4, 3),
  ),
  Ensemble(
    'organ trio',
    '17 lead comp, 26 comp lead, 33 bass, drums',
    (84, 144),
    ('blues', 'loop'),
    figures=('charleston', 'stabs', 'held'),
    basses=('walking', 'funk'),
    grooves=('shuffle', 'swing', 'funk'),
    beats=(4,),
  ),
  Ensemble(
    'tango',
    '23 lead comp, 40 lead second, 0 comp, 43 bass',
    (104, 128),
    ('classical',),
    ('minor',),
    figures=('beats', 'stabs', 'eighths'),
    basses=('beats', 'two'),
    beats=(4,),
  ),
  Ensemble(
    'accordion waltz',
    '21 lead, 24 comp, 32 bass',
    (120, 168),
    ('classical',),
    ('minor', 'major'),
    figures=('waltz', 'beats'),
    basses=('waltz',),
    beats=(3,),
  ),
  Ensemble(
    'koto and shakuhachi', '107 comp lead, 77 lead', (60, 96), ('loop',), ('dorian', 'minor'), figures=('up and down', 'wide', 'ostinato')
  ),
  Ensemble(
    'sitar', '104 lead comp, 111 lead, 116 bass', (76, 120), ('loop',), ('mixolydian', 'dorian'), figures=('ostinato', 'up', 'up and down')
  ),
  Ensemble(
    'celtic',
    '110 lead, 78 lead second, 46 comp, 109 pad, drums',
    (96, 138),
    _BANDS,
    ('dorian', 'mixolydian', 'major'),
    figures=('up and down', 'triplets'),
    grooves=('tribal', 'march', 'waltz'),
    beats=(4, 3),
  ),
  Ensemble(
    'steel drums',
    '114 lead comp, 108 second comp, 32 bass, drums',
    (96, 126),
    _BANDS,
    ('major', 'mixolydian'),
    figures=('offbeats', 'ostinato', 'stabs'),
    basses=('bossa', 'two'),
    grooves=('samba', 'latin'),
    beats=(4,),
  ),
  Ensemble('pan flute', '75 lead, 24 comp, 48 pad', (72, 112), figures=_GUITAR),
  Ensemble('ocarina and dulcimer', '79 lead, 15 comp, 76 second', (80, 126), figures=('up and down', 'ostinato', 'sixteenths')),
)


def choose_ensemble(draw: Draw, name: str = '') -> Ensemble:
  """The named ensemble, or any."""
  if name:
    return next(each for each in ENSEMBLES if each.name == name)
  return draw.pick(ENSEMBLES)
