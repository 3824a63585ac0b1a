"""Names of General MIDI's programs, and the classes that Slakh2100 sorts them into."""

DRUM_CHANNEL = 9  # counted from 0
DRUM_PROGRAM = 128  # what Slakh writes for drums, which have no program

# Each line is one class of eight programs.
_CLASSES = {
  'Piano': (
    'Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano, '
    'Electric Piano 1, Electric Piano 2, Harpsichord, Clavinet'
  ),
  'Chromatic Percussion': 'Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone, Tubular Bells, Dulcimer',
  'Organ': 'Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed Organ, Accordion, Harmonica, Tango Accordion',
  'Guitar': (
    'Acoustic Guitar (nylon), Acoustic Guitar (steel), Electric Guitar (jazz), Electric Guitar (clean), '
    'Electric Guitar (muted), Overdriven Guitar, Distortion Guitar, Guitar Harmonics'
  ),
  'Bass': (
    'Acoustic Bass, Electric Bass (finger), Electric Bass (pick), Fretless Bass, Slap Bass 1, Slap Bass 2, Synth Bass 1, Synth Bass 2'
  ),
  'Strings': 'Violin, Viola, Cello, Contrabass, Tremolo Strings, Pizzicato Strings, Orchestral Harp, Timpani',
  'Strings (continued)': (
    'String Ensemble 1, String Ensemble 2, Synth Strings 1, Synth Strings 2, Choir Aahs, Voice Oohs, Synth Choir, Orchestra Hit'
  ),
  'Brass': 'Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section, Synth Brass 1, Synth Brass 2',
  'Reed': 'Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe, English Horn, Bassoon, Clarinet',
  'Pipe': 'Piccolo, Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle, Ocarina',
  'Synth Lead': (
    'Lead 1 (square), Lead 2 (sawtooth), Lead 3 (calliope), Lead 4 (chiff), '
    'Lead 5 (charang), Lead 6 (voice), Lead 7 (fifths), Lead 8 (bass + lead)'
  ),
  'Synth Pad': (
    'Pad 1 (new age), Pad 2 (warm), Pad 3 (polysynth), Pad 4 (choir), Pad 5 (bowed), Pad 6 (metallic), Pad 7 (halo), Pad 8 (sweep)'
  ),
  'Sound Effects': (
    'FX 1 (rain), FX 2 (soundtrack), FX 3 (crystal), FX 4 (atmosphere), FX 5 (brightness), FX 6 (goblins), FX 7 (echoes), FX 8 (sci-fi)'
  ),
  'Ethnic': 'Sitar, Banjo, Shamisen, Koto, Kalimba, Bagpipe, Fiddle, Shanai',
  'Percussive': 'Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum, Melodic Tom, Synth Drum, Reverse Cymbal',
  'Sound effects': 'Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet, Telephone Ring, Helicopter, Applause, Gunshot',
}
PROGRAM_NAMES = tuple(name for names in _CLASSES.values() for name in names.split(', '))


def program_name(program: int) -> str:
  """`program` counts from 0; 128 is drums."""
  return 'Drums' if program == DRUM_PROGRAM else PROGRAM_NAMES[program]


def instrument_class(program: int) -> str:
  """The class of eight programs that holds `program`, 'Drums' for 128."""
  return 'Drums' if program == DRUM_PROGRAM else tuple(_CLASSES)[program // 8]
