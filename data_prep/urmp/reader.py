"""URMP as it is published, and MT3's TFRecords of it.

The notes are those of the `Notes_*.txt` annotations: the MIDI file of a piece is its score, not aligned with the recording.
"""

import math
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from data_prep import tfrecords
from data_prep.corpus import Corpus, Skipped, SongError, SongSource
from data_prep.reading import (
  Listing,
  Origin,
  check_rate,
  find_root,
  make_song,
  read_recording,
  skipped,
  stated_seconds,
  unique,
)
from mt3_synth.data.songs import Song
from mt3_synth.notes import Notes, concatenate, from_note_sequence

ORIGIN = Origin('urmp', 'CC0-1.0')
VALIDATION = frozenset((1, 2, 12, 13, 24, 25, 31, 38, 39))
SAMPLE_RATES = (48000,)
PROGRAMS = {
  'vn': 40,
  'va': 41,
  'vc': 42,
  'db': 43,
  'tpt': 56,
  'tbn': 57,
  'tba': 58,
  'hn': 60,
  'sax': 64,
  'ob': 68,
  'bn': 70,
  'cl': 71,
  'fl': 73,
}
_PIECE = re.compile(r'(\d\d)_[^_]+_(.+)')  # 15_Surprise_tpt_tpt_tbn; neither hidden folders nor Supplementary_Files


def songs(source: str | Path) -> Listing:
  """The pieces, named as their folders.

  Args:
    source: the folder `Dataset`, or one with MT3's TFRecords.

  Raises:
    InputError: it is neither.
  """
  root = find_root(source, 'URMP', _holds, 'NN_Title_instruments/, or TFRecords')
  if tfrecords.holds_records(root, RECORDS):
    return unique(tfrecords.list_records(root, RECORDS, ORIGIN))
  return unique(_song(folder) for folder in _pieces(root))


def split_of(piece: int) -> str:
  return 'validation' if piece in VALIDATION else 'train'


def _holds(folder: Path) -> bool:
  return bool(_pieces(folder)) or tfrecords.holds_records(folder, RECORDS)


def _pieces(folder: Path) -> list[Path]:
  return sorted(path for path in folder.iterdir() if path.is_dir() and _PIECE.fullmatch(path.name))


def _song(folder: Path) -> SongSource | Skipped:
  try:
    number, instruments = _PIECE.fullmatch(folder.name).groups()  # pyright: ignore[reportOptionalMemberAccess]
    parts = list(_parts(folder, instruments.split('_')))
    audio = _only(folder, 'AuMix_*.wav')
    if audio is None:
      raise SongError('missing audio', f'{folder}: no AuMix_*.wav; fetch the piece again')
    return SongSource(folder.name, split_of(int(number)), partial(_read, folder.name, audio, parts), stated_seconds(audio))
  except SongError as e:
    return skipped(folder.name, e)


def _parts(folder: Path, instruments: Sequence[str]) -> Iterator[tuple[Path, int]]:
  """(annotation, program) of each part.

  The folder's name says the instruments; the files' are not asked: those of part 3 of piece 15 say tpt, and it is a trombone.
  """
  for number, instrument in enumerate(instruments, 1):
    if instrument not in PROGRAMS:
      raise SongError('unknown instrument', f'{folder}: part {number} is {instrument!r}, expected one of {", ".join(PROGRAMS)}')
    file = _only(folder, f'Notes_{number}_*.txt')
    if file is None:
      raise SongError('missing notes', f'{folder}: no Notes_{number}_*.txt for its part {number}; fetch the piece again')
    yield file, PROGRAMS[instrument]


def _only(folder: Path, pattern: str) -> Path | None:
  return next(iter(sorted(folder.glob(pattern))), None)


def _read(id: str, audio: Path, parts: Sequence[tuple[Path, int]]) -> Song:
  notes = concatenate(_read_notes(file, program) for file, program in parts)
  check_rate(audio, SAMPLE_RATES, notes.duration, 'the end of its notes')
  return make_song(id, notes, read_recording(audio), ORIGIN)


def _read_notes(file: Path, program: int) -> Notes:
  """Notes of one part: lines of onset [s], mean fundamental frequency [Hz], duration [s]."""
  rows = []
  try:
    for number, line in enumerate(file.read_text().splitlines(), 1):
      if line.strip():
        rows.append((*_parse(line, number), 100, program))
    return Notes.from_rows(rows)
  except (OSError, ValueError) as e:
    raise SongError('unreadable notes', f'{file}: {e}; fetch the file again') from None


def _parse(line: str, number: int) -> tuple[float, float, int]:
  """(onset, offset, pitch) of a line."""
  try:
    onset, frequency, duration = map(float, line.split())
    return onset, onset + duration, round(69 + 12 * math.log2(frequency / 440))
  except (ValueError, OverflowError):
    raise ValueError(f'line {number} is {line!r}, expected onset [s], frequency [Hz] and duration [s] of a note') from None


def _record_song(features: tfrecords.Features, source: str) -> tuple[Notes, np.ndarray]:
  names, sequences = features['inst_names'], features['instrument_sequences']
  parts = []
  for name, sequence in zip(names, sequences, strict=True):
    if name.decode() not in PROGRAMS:
      raise SongError('unknown instrument', f'{source}: inst_names has {name!r}, expected {", ".join(PROGRAMS)}')
    parts.append(tfrecords.with_instrument(from_note_sequence(sequence), PROGRAMS[name.decode()]))
  return concatenate(parts).sorted(), tfrecords.read_wav(features, source)


RECORDS = tfrecords.Layout(id=['id'], needed=['audio', 'inst_names', 'instrument_sequences'], song=_record_song)

CORPUS = Corpus(
  name=ORIGIN.corpus,
  licence=ORIGIN.licence,
  description='University of Rochester Multi-Modal Music Performance dataset: 44 chamber pieces for two to five players of strings and '
  'winds, each player recorded apart, with annotated notes.',
  homepage='https://labsites.rochester.edu/air/projects/URMP.html',
  citation="""@article{li2019creating,
  title={Creating a Multitrack Classical Music Performance Dataset for Multimodal Music Analysis: Challenges, Insights, and Applications},
  author={Li, Bochen and Liu, Xinzhao and Dinesh, Karthik and Duan, Zhiyao and Sharma, Gaurav},
  journal={IEEE Transactions on Multimedia},
  volume={21},
  number={2},
  year={2019}
}""",
  songs=songs,
)
