"""Reading songs in Slakh's folder layout: {train,validation,test}/TrackNNNNN/{mix.flac, metadata.yaml, MIDI/Sxx.mid, stems/Sxx.flac}."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from mt3_synth.audio.files import read_audio_int16
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes, concatenate, read_midi

EMBEDDED = Path(__file__).parent / 'embedded'
AUDIO_SUFFIXES = ('.flac', '.wav')
DESCRIPTION = 'metadata.yaml'
SPLITS = ('train', 'validation', 'test')

_YamlLoader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)  # ten times as fast, where PyYAML was built with it


@dataclass(frozen=True)
class Song:
  """A recording and its notes.

  Attributes:
    name: its id in the corpus.
    notes: with times in seconds from the recording's start.
    audio: int16 [S] mono at 16 kHz.
    corpus, licence: where it is from; empty where it does not matter.
  """

  name: str
  notes: Notes
  audio: np.ndarray
  corpus: str = ''
  licence: str = ''


@dataclass(frozen=True)
class Stem:
  """One instrument of a track.

  Attributes:
    name: as in the description, e.g. S00.
    program: General MIDI program 0-127; 0 for drums.
    is_drum: whether it is a kit.
    midi: its notes; the file need not be there.
    audio: its sound; None where there is no such file.
    sounds: whether it is in the mix.
  """

  name: str
  program: int
  is_drum: bool
  midi: Path
  audio: Path | None
  sounds: bool


@dataclass(frozen=True)
class Track:
  """A track folder.

  Attributes:
    name: what the track was made from, where the description says so, else the folder's name.
    mix: the recording; None where there is no such file.
    stems: all that the description names, in its order.
  """

  name: str
  folder: Path
  mix: Path | None
  stems: tuple[Stem, ...]


def read_track(folder: Path) -> Track:
  """What a track folder holds; opens nothing but the description.

  A stem sounds in the mix if its audio is among the track's stems: what the description says of that (`audio_rendered`) is wrong in some
  releases.  Only where the stems' audio was not kept at all does the description decide.

  Raises:
    InputError: the description is missing or unreadable.
  """
  file = folder / DESCRIPTION
  try:
    description = yaml.load(file.read_text(encoding='utf-8'), _YamlLoader)
    audio = {name: _audio_file(folder / 'stems' / str(name)) for name in description['stems']}
    kept = any(audio.values())
    stems = tuple(
      Stem(
        name=str(name),
        program=program,
        is_drum=drum,
        midi=folder / 'MIDI' / f'{name}.mid',
        audio=audio[name],
        sounds=audio[name] is not None if kept else about.get('audio_rendered', True) or 'integrated_loudness' in about,
      )
      for name, about in description['stems'].items()
      for drum, program in [_instrument(about)]
    )
  except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as e:
    found = ' '.join(f'{type(e).__name__}: {e}'.split())
    raise InputError(f'{file}: no description with `stems` ({found}); expected a track folder of Slakh') from None
  return Track(str(description.get('source', folder.name)), folder, _audio_file(folder / 'mix'), stems)


def read_stem_notes(stem: Stem) -> Notes:
  """Notes of a stem; drums and program are those of its description, whatever its MIDI channel says."""
  notes = read_midi(stem.midi)
  return replace(notes, is_drum=np.full(len(notes), stem.is_drum), program=np.full(len(notes), stem.program))


def read_notes(stems: Iterable[Stem]) -> Notes:
  """Notes of several stems, sorted by onset.

  Raises:
    InputError: a MIDI file is missing or unreadable.
  """
  return concatenate(map(read_stem_notes, stems)).sorted()


def read_song(folder: Path) -> Song:
  """The whole mix of one track folder, with the notes of all that sounds in it.

  Raises:
    InputError: the mix, its description or the stems' MIDI files are missing or unreadable.
  """
  track = read_track(folder)
  if track.mix is None:
    raise InputError(f'{folder}: neither mix.flac nor mix.wav is there')
  return Song(track.name, read_notes(stem for stem in track.stems if stem.sounds), read_audio_int16(track.mix))


def read_corpus(corpus: str | Path, split: str) -> list[Song]:
  """All songs of one split, in order of their folder names.

  Args:
    corpus: a folder, or `embedded` for the one shipped with the package.
    split: train, validation or test.
  """
  root = EMBEDDED if str(corpus) == 'embedded' else Path(corpus).expanduser()
  with ThreadPoolExecutor() as pool:
    return list(pool.map(read_song, find_tracks(root, split)))


def find_tracks(root: Path, split: str) -> list[Path]:
  """The track folders of a split, sorted by name; raises InputError where there are none."""
  folders = sorted(path.parent for path in (root / split).glob(f'*/{DESCRIPTION}'))
  if not folders:
    raise InputError(f'{root}: no tracks under {split}/*/{DESCRIPTION}; expected a corpus as `mt3-synth render` writes it')
  return folders


def has_tracks(root: Path) -> bool:
  """Whether a folder is a corpus of tracks, whichever splits it has."""
  return any(any((root / split).glob(f'*/{DESCRIPTION}')) for split in SPLITS)


def _audio_file(stem: Path) -> Path | None:
  """The audio file of that name without suffix."""
  files = (stem.parent / f'{stem.name}{suffix}' for suffix in AUDIO_SUFFIXES)
  return next((file for file in files if file.is_file()), None)


def _instrument(about: dict) -> tuple[bool, int]:
  """Whether a stem is drums, and its program, which the kit has none of."""
  if about.get('is_drum'):
    return True, 0
  program = int(about.get('program_num', 0))
  if not 0 <= program < 128:
    raise ValueError(f'program_num is {program}, expected 0-127')
  return False, program
