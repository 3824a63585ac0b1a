"""What each General MIDI program can play, and how it is played."""

# The sounding ranges of acoustic instruments; programs that aren't here take their class's.
_RANGES = {
  **dict.fromkeys(range(0, 6), (28, 100)),
  6: (36, 86),
  7: (36, 84),
  8: (60, 103),
  9: (72, 103),
  10: (60, 96),
  11: (53, 89),
  12: (45, 93),
  13: (65, 103),
  14: (60, 79),
  15: (55, 84),
  21: (53, 89),
  22: (60, 89),
  23: (53, 84),
  40: (55, 96),
  41: (48, 84),
  42: (36, 74),
  43: (28, 55),
  44: (40, 88),
  45: (40, 88),
  46: (29, 98),
  47: (38, 57),
  52: (48, 79),
  53: (48, 79),
  54: (48, 79),
  55: (48, 72),
  56: (55, 82),
  57: (40, 70),
  58: (28, 55),
  59: (55, 82),
  60: (41, 74),
  61: (48, 79),
  64: (56, 84),
  65: (51, 80),
  66: (46, 75),
  67: (37, 68),
  68: (58, 87),
  69: (52, 79),
  70: (35, 69),
  71: (50, 86),
  72: (74, 103),
  73: (60, 93),
  74: (65, 93),
  75: (60, 89),
  104: (48, 77),
  105: (48, 84),
  106: (50, 79),
  107: (48, 84),
  108: (55, 84),
  109: (60, 79),
  110: (55, 93),
  111: (58, 82),
  112: (72, 96),
  114: (55, 86),
}
_CLASS_RANGES = (
  (36, 96),  # piano
  (60, 96),  # chromatic percussion
  (36, 88),  # organ
  (40, 83),  # guitar
  (28, 57),  # bass
  (40, 88),  # strings
  (40, 86),  # ensembles
  (43, 79),  # brass
  (48, 82),  # reed
  (60, 92),  # pipe
  (48, 88),  # synth lead
  (40, 84),  # synth pad
  (40, 84),  # synth effects
  (48, 84),  # plucked and blown of the world
  (45, 84),  # percussive
  (45, 79),  # sound effects
)
# Programs that hold a note as long as it is played; the others ring out by themselves.
_HELD = {*range(16, 24), *range(40, 45), *range(48, 55), *range(56, 104), 109, 110, 111}


def playing_range(program: int) -> tuple[int, int]:
  """The lowest and highest pitch that sound right."""
  return _RANGES.get(program, _CLASS_RANGES[program // 8])


def full_range(program: int) -> tuple[int, int]:
  """A little more than is comfortable, as etudes have it; the piano's whole keyboard."""
  if program < 6:
    return 21, 108
  low, high = playing_range(program)
  return max(low - 5, 16), min(high + 5, 112)


def is_held(program: int) -> bool:
  return program in _HELD


# Pitches of General MIDI's drum kit.
KICK, SIDE_STICK, SNARE, CLAP, RIM_SNARE = 36, 37, 38, 39, 40
CLOSED_HAT, PEDAL_HAT, OPEN_HAT = 42, 44, 46
TOMS = (41, 43, 45, 47, 48, 50)  # from low to high
CRASH, RIDE, BELL, CRASH_2 = 49, 51, 53, 57
TAMBOURINE, COWBELL = 54, 56
HIGH_BONGO, LOW_BONGO, MUTE_CONGA, OPEN_CONGA, LOW_CONGA = 60, 61, 62, 63, 64
CABASA, MARACAS, CLAVES = 69, 70, 75
ALL_DRUMS = tuple(range(35, 82))
