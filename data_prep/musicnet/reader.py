"""MusicNet as it is published (WAV and CSV files, or one file of pickles), and MT3's TFRecords of it."""

import csv
import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import tfrecords
from data_prep.corpus import Corpus, Skipped, SongError, SongSource
from data_prep.musicnet import pickled
from data_prep.reading import (
  Listing,
  Origin,
  check_rate,
  find_root,
  make_song,
  missing,
  names_in,
  read_recording,
  skipped,
  song_errors,
  stated_seconds,
  unique,
)
from mt3_synth.audio.files import resample, to_int16
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes import Notes

ORIGIN = Origin('musicnet', 'CC BY 4.0')
VALIDATION = frozenset((1733, 1765, 1790, 1818, 2160, 2198, 2289, 2300, 2308, 2315, 2336, 2466, 2477, 2504, 2611))
TEST = frozenset((1729, 1776, 1813, 1893, 2118, 2186, 2296, 2431, 2432, 2487, 2497, 2501, 2507, 2537, 2621))
LABEL_RATE = 44100  # Hz: the labels' times are samples at that rate
FIRST_INSTRUMENT = 1  # the labels count General MIDI programs from 1 (piano is 1, violin 41)
_PICKLES = 'musicnet*.npz'
_COLUMNS = ('start_time', 'end_time', 'instrument', 'note')
_FOLDERS = ('train', 'test')


def songs(source: str | Path, *, npz: bool = False) -> Listing:
  """The recordings, named by their numbers.

  Args:
    source: the folder with {train,test}_data/ID.wav and {train,test}_labels/ID.csv, or with musicnet.npz, or with MT3's TFRecords.
    npz: whether musicnet.npz may be read: it holds pickles.

  Raises:
    InputError: it is none of these, or there is only musicnet.npz and `npz` is not set.

  Warns:
    InputWarning: pickles are read.
  """
  root = find_root(source, 'MusicNet', _holds, 'train_data/*.wav and train_labels/*.csv, or TFRecords')
  if tfrecords.holds_records(root, RECORDS):
    return unique(tfrecords.list_records(root, RECORDS, ORIGIN))
  if _has_wavs(root):
    return unique(_song(root, name, id) for name in _FOLDERS for id in _ids(root, name))
  file = next(root.glob(_PICKLES))
  if not npz:
    raise InputError(
      f'{file}: holds pickles, which are not read unless you say so; fetch the WAV and CSV files instead, or, if the file is from a source '
      'that you trust, say --npz'
    )
  message = f'{file}: pickles are read, as you asked; only arrays and interval trees are taken from them'
  warnings.warn(message, InputWarning, stacklevel=2)
  return unique(SongSource(id, split_of(id), partial(_read_pickled, id, file)) for id in pickled.recordings(file))


def split_of(id: str) -> str:
  """The split of a recording, whatever folder it is in: validation is within the published training folder."""
  number = int(id) if id.isdecimal() else -1
  return 'validation' if number in VALIDATION else 'test' if number in TEST else 'train'


def _holds(folder: Path) -> bool:
  return _has_wavs(folder) or tfrecords.holds_records(folder, RECORDS) or next(folder.glob(_PICKLES), None) is not None


def _has_wavs(folder: Path) -> bool:
  return any((folder / f'{name}_data').is_dir() and (folder / f'{name}_labels').is_dir() for name in _FOLDERS)


def _ids(root: Path, name: str) -> list[str]:
  return sorted({*names_in(root / f'{name}_data', '.wav'), *names_in(root / f'{name}_labels', '.csv')})


def _song(root: Path, name: str, id: str) -> SongSource | Skipped:
  wav, labels = root / f'{name}_data' / f'{id}.wav', root / f'{name}_labels' / f'{id}.csv'
  try:
    absent = missing(id, 'missing audio', wav) or missing(id, 'missing notes', labels)
    return absent or SongSource(id, split_of(id), partial(_read, id, wav, labels), stated_seconds(wav))
  except SongError as e:
    return skipped(id, e)


def _read(id: str, wav: Path, labels: Path) -> Song:
  notes = read_labels(labels)
  check_rate(wav, (LABEL_RATE,), notes.duration, 'the end of its labels')
  return make_song(id, notes, read_recording(wav), ORIGIN)


def read_labels(file: Path) -> Notes:
  """Notes of a table of labels.  Raises SongError."""
  try:
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding='utf-8-sig'), newline='')))
    absent = [name for name in _COLUMNS if rows and name not in rows[0]]
    if absent:
      raise ValueError(f'no column {", ".join(absent)}, expected {", ".join(_COLUMNS)}')
    return _notes([row[name] for name in _COLUMNS] for row in rows)
  except (OSError, ValueError, TypeError, csv.Error) as e:
    raise SongError('unreadable notes', f'{file}: {e}; fetch it again') from None


def _notes(rows: Iterable[Sequence[Any]]) -> Notes:
  """Notes of (start, end, instrument, note) rows."""

  def convert() -> Iterator[tuple[float, float, int, int, int]]:
    for start, end, instrument, note in rows:
      yield int(start) / LABEL_RATE, int(end) / LABEL_RATE, int(note), 100, int(instrument) - FIRST_INSTRUMENT

  return Notes.from_rows(convert()).sorted()


def _read_pickled(id: str, file: Path) -> Song:
  samples, labels = pickled.read_recording(file, id)
  with song_errors('unreadable notes'):
    try:
      notes = _notes((start, end, label[0], label[1]) for start, end, label in labels)
    except (TypeError, IndexError) as e:
      raise SongError('unreadable notes', f'{file}: {id}: labels are no notes ({e}); fetch the file again') from None
    return make_song(id, notes, to_int16(resample(samples, f'{file}: {id}', LABEL_RATE)), ORIGIN)


def _record_song(features: tfrecords.Features, source: str) -> tuple[Notes, np.ndarray]:
  return tfrecords.read_sequence(features), tfrecords.read_floats(features, source, 'audio', 'sample_rate')


RECORDS = tfrecords.Layout(id=['id'], needed=['audio', 'sample_rate', 'sequence'], song=_record_song)

CORPUS = Corpus(
  name=ORIGIN.corpus,
  licence=ORIGIN.licence,
  description='MusicNet: 330 recordings of classical music, 34 hours, with notes aligned by dynamic time warping.',
  homepage='https://zenodo.org/records/5120004',
  citation="""@inproceedings{thickstun2017learning,
  title={Learning Features of Music from Scratch},
  author={Thickstun, John and Harchaoui, Zaid and Kakade, Sham M.},
  booktitle={International Conference on Learning Representations},
  year={2017}
}""",
  songs=songs,
  options={'npz': (False, 'read musicnet.npz, which holds pickles; only arrays and interval trees are taken from them')},
)
