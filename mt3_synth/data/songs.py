"""Reading a corpus in Slakh's folder layout: {train,validation,test}/TrackNNNNN/{mix.flac, metadata.yaml, MIDI/Sxx.mid}."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from mt3_synth.audio.files import read_audio_int16
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes, concatenate, read_midi

EMBEDDED = Path(__file__).parent / 'embedded'


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


def read_song(folder: Path) -> Song:
  """One track folder.

  Raises:
    InputError: the mix, its description or the stems' MIDI files are missing or unreadable.
  """
  metadata_file = folder / 'metadata.yaml'
  try:
    metadata = yaml.safe_load(metadata_file.read_text())
    stems = [(name, *_instrument(about)) for name, about in metadata['stems'].items()]
  except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as e:
    found = ' '.join(f'{type(e).__name__}: {e}'.split())
    raise InputError(f'{metadata_file}: no description with `stems` ({found}); expected a track folder of Slakh') from None
  mix = next((path for path in (folder / 'mix.flac', folder / 'mix.wav') if path.exists()), None)
  if mix is None:
    raise InputError(f'{folder}: neither mix.flac nor mix.wav is there')
  parts = [_read_stem(folder / 'MIDI' / f'{name}.mid', drum, program) for name, drum, program in stems]
  return Song(str(metadata.get('source', folder.name)), concatenate(parts).sorted(), read_audio_int16(mix))


def _instrument(about: dict) -> tuple[bool, int]:
  """Whether a stem is drums, and its program, which the kit has none of."""
  if about.get('is_drum'):
    return True, 0
  program = int(about.get('program_num', 0))
  if not 0 <= program < 128:
    raise ValueError(f'program_num is {program}, expected 0-127')
  return False, program


def _read_stem(path: Path, drum: bool, program: int) -> Notes:
  notes = read_midi(path)
  return replace(notes, is_drum=np.full(len(notes), drum), program=np.full(len(notes), program))


def read_corpus(corpus: str | Path, split: str) -> list[Song]:
  """All songs of one split, in order of their folder names.

  Args:
    corpus: a folder, or `embedded` for the one shipped with the package.
    split: train, validation or test.
  """
  root = EMBEDDED if str(corpus) == 'embedded' else Path(corpus).expanduser()
  folders = sorted(path.parent for path in (root / split).glob('*/metadata.yaml'))
  if not folders:
    raise InputError(f'{root}: no tracks under {split}/*/metadata.yaml; expected a corpus as `mt3-synth render` writes it')
  with ThreadPoolExecutor() as pool:
    return list(pool.map(read_song, folders))
