"""MAESTRO as it is published (a table, MIDI and WAV files) or as Magenta's TFRecords."""

import csv
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

from data_prep import tfrecords
from data_prep.corpus import Corpus, Skipped, SongError, SongSource
from data_prep.reading import (
  Listing,
  Origin,
  check_rate,
  find_root,
  make_song,
  missing,
  read_recording,
  skipped,
  song_errors,
  stated_seconds,
  unique,
)
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError
from mt3_synth.notes import read_midi

ORIGIN = Origin('maestro', 'CC BY-NC-SA 4.0')
VERSIONS = ('3.0.0', '2.0.0', '1.0.0')
SPLITS = ('train', 'validation', 'test')
SAMPLE_RATES = (44100, 48000)
_COLUMNS = ('split', 'midi_filename', 'audio_filename', 'duration')


def songs(source: str | Path, *, version: str = VERSIONS[0]) -> Listing:
  """The performances of one version; ids are the audio files' paths without suffix.

  Args:
    source: the folder maestro-vX.0.0, or one with TFRecords named maestro-vX.0.0_ns_wav_SPLIT.tfrecord*.
    version: 3.0.0, 2.0.0 or 1.0.0.

  Raises:
    InputError: the folder is not that version's, or its table lacks columns.
  """
  if version not in VERSIONS:
    raise InputError(f'maestro: version is {version!r}, expected one of {", ".join(VERSIONS)}')
  holds = lambda folder: any(_table_file(folder, each) or _records(folder, each) for each in VERSIONS)
  root = find_root(source, 'MAESTRO', holds, 'maestro-vX.0.0.csv or .json, or maestro-vX.0.0_ns_wav_*.tfrecord*')
  table = _table_file(root, version)
  if table:
    return unique(_performance(root, row, f'{table}, row {number}') for number, row in enumerate(_rows(table), 1))
  if _records(root, version):
    return unique(tfrecords.list_records(root, _layout(version), ORIGIN))
  present = ', '.join(each for each in VERSIONS if _table_file(root, each) or _records(root, each))
  raise InputError(f'{root}: holds version {present}, expected {version}; choose config v{present[0]}, or give the folder of {version}')


def _performance(root: Path, row: dict[str, Any], where: str) -> SongSource | Skipped:
  audio, midi = root / str(row.get('audio_filename')), root / str(row.get('midi_filename'))
  id = str(Path(str(row.get('audio_filename'))).with_suffix(''))
  split = row.get('split')
  if split not in SPLITS:
    return Skipped(id, 'unknown split', f'{where}: split is {split!r}, expected {", ".join(SPLITS)}; fetch the table again')
  absent = missing(id, 'missing audio', audio) or missing(id, 'missing notes', midi)
  if absent:
    return absent
  try:
    seconds = stated_seconds(audio)
    with song_errors('unreadable description'):
      duration = _number(row.get('duration'), f'{where}: duration')
  except SongError as e:
    return skipped(id, e)
  return SongSource(id, split, partial(_read, id, audio, midi, duration), seconds)


def _read(id: str, audio: Path, midi: Path, duration: float) -> Song:
  check_rate(audio, SAMPLE_RATES, duration, 'the duration in the table')
  with song_errors('unreadable notes'):
    notes = read_midi(midi)
  return make_song(id, notes, read_recording(audio), ORIGIN)


def _number(value: Any, where: str) -> float:
  try:
    return float(value)
  except (TypeError, ValueError):
    raise InputError(f'{where} is {value!r}, expected seconds; fetch the table again') from None


def _table_file(folder: Path, version: str) -> Path | None:
  files = (folder / f'maestro-v{version}{suffix}' for suffix in ('.csv', '.json'))
  return next((file for file in files if file.is_file()), None)


def _rows(table: Path) -> list[dict[str, Any]]:
  """Rows of the table: CSV, JSON as a list of records (v2), or JSON as a dict of columns (v3)."""
  try:
    if table.suffix == '.csv':
      rows = list(csv.DictReader(io.StringIO(table.read_text(encoding='utf-8-sig'), newline='')))
    else:
      rows = _json_rows(json.loads(table.read_text(encoding='utf-8')))
  except (OSError, ValueError, AttributeError, TypeError, KeyError) as e:
    raise InputError(f'{table}: no table of performances ({type(e).__name__}: {e}); fetch it again') from None
  absent = [name for name in _COLUMNS if not rows or name not in rows[0]]
  if absent:
    raise InputError(f'{table}: {len(rows)} rows without {", ".join(absent)}; expected the columns {", ".join(_COLUMNS)}: fetch it again')
  return rows


def _json_rows(table: Any) -> list[dict[str, Any]]:
  if isinstance(table, list):
    return [dict(row) for row in table]
  columns = {name: dict(enumerate(column)) if isinstance(column, list) else column for name, column in table.items()}
  keys = next(iter(columns.values()))  # a column is {"0": value, ...}; keys, not their order, say which values belong together
  return [{name: column.get(key) for name, column in columns.items()} for key in keys]


def _layout(version: str) -> tfrecords.Layout:
  return tfrecords.Layout(id=['id'], needed=['audio', 'sequence'], song=_song, files=f'maestro-v{version}_ns_wav_*.tfrecord*')


def _records(folder: Path, version: str) -> bool:
  return tfrecords.holds_records(folder, _layout(version))


def _song(features: tfrecords.Features, source: str):
  return tfrecords.read_sequence(features), tfrecords.read_wav(features, source)


CORPUS = Corpus(
  name=ORIGIN.corpus,
  licence=ORIGIN.licence,
  description='MAESTRO: about 200 hours of piano performances of the International Piano-e-Competition, with notes, velocities and pedals '
  'captured by the instrument and aligned within about 3 ms.',
  homepage='https://magenta.tensorflow.org/datasets/maestro',
  citation="""@inproceedings{hawthorne2019maestro,
  title={Enabling Factorized Piano Music Modeling and Generation with the {MAESTRO} Dataset},
  author={Hawthorne, Curtis and Stasyuk, Andriy and Roberts, Adam and Simon, Ian and Huang, Cheng-Zhi Anna and Dieleman, Sander and
    Elsen, Erich and Engel, Jesse and Eck, Douglas},
  booktitle={International Conference on Learning Representations},
  year={2019}
}""",
  songs=songs,
  configs={f'v{version[0]}': {'version': version} for version in VERSIONS},
)
