"""GuitarSet as it is published (JAMS and WAV files), and MT3's TFRecords of it."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import tfrecords
from data_prep.corpus import Corpus, Skipped, SongError, SongSource
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
  stated_seconds,
  unique,
)
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes

ORIGIN = Origin('guitarset', 'CC BY 4.0')
AUDIO = {'mono-mic': ('mic',), 'pickup_mix': ('mix',), 'both': ('mic', 'mix')}  # option -> which recordings
PROGRAM = 24
STRINGS = 6
SAMPLE_RATES = (44100,)
_FOLDERS = {'mic': 'audio_mono-mic', 'mix': 'audio_mono-pickup_mix'}
_VALIDATION_PROGRESSION = 3
_NAME = re.compile(r'\d\d_[A-Za-z]+(\d)-.+_(?:comp|solo)')  # 03_BN3-119-G_solo: player, style and progression, tempo, key, part


def songs(source: str | Path, *, audio: str = 'mono-mic') -> Listing:
  """The excerpts; ids are the recordings' names, e.g. `03_BN3-119-G_solo_mic`.

  Args:
    source: the folder with annotation/ and audio_mono-mic/ or audio_mono-pickup_mix/, or one with MT3's TFRecords.
    audio: mono-mic (the microphone), pickup_mix (the sum of the strings' pickups), or both, as songs of their own.

  Raises:
    InputError: it is neither, or another audio.
  """
  if audio not in AUDIO:
    raise InputError(f'guitarset: audio is {audio!r}, expected one of {", ".join(AUDIO)}')
  root = find_root(source, 'GuitarSet', _holds, 'annotation/*.jams, or TFRecords')
  if tfrecords.holds_records(root, RECORDS):
    return unique(tfrecords.list_records(root, RECORDS, ORIGIN))
  names = set(names_in(root / 'annotation', '.jams'))
  for recording in AUDIO[audio]:
    names.update(name.removesuffix(f'_{recording}') for name in names_in(root / _FOLDERS[recording], f'_{recording}.wav'))
  return unique(_song(root, name, recording) for name in sorted(names) for recording in AUDIO[audio])


def split_of(name: str) -> str:
  """The split of an excerpt, by the chord progression it plays.

  Raises:
    SongError: it is not named as GuitarSet's are.
  """
  match = _NAME.fullmatch(name)
  if not match or not 1 <= int(match[1]) <= 3:
    raise SongError('unknown split', f'{name}: expected PP_StyleN-BPM-Key_comp or _solo with N from 1 to 3')
  return 'validation' if int(match[1]) == _VALIDATION_PROGRESSION else 'train'


def _holds(folder: Path) -> bool:
  return next((folder / 'annotation').glob('*.jams'), None) is not None or tfrecords.holds_records(folder, RECORDS)


def _song(root: Path, name: str, recording: str) -> SongSource | Skipped:
  id, jams = f'{name}_{recording}', root / 'annotation' / f'{name}.jams'
  wav = root / _FOLDERS[recording] / f'{id}.wav'
  try:
    if jams.is_file() and not wav.is_file():
      read_jams(jams)  # of two faults, a damaged annotation is the one to know
    absent = missing(id, 'missing notes', jams) or missing(id, 'missing audio', wav)
    return absent or SongSource(id, split_of(name), partial(_read, id, jams, wav), stated_seconds(wav))
  except SongError as e:
    return skipped(id, e)


def _read(id: str, jams: Path, wav: Path) -> Song:
  notes, duration = read_jams(jams)
  check_rate(wav, SAMPLE_RATES, duration, f'the duration in {jams.name}')
  return make_song(id, notes, read_recording(wav), ORIGIN)


def read_jams(file: Path) -> tuple[Notes, float]:
  """Notes of the six strings, and the duration the file states.  Raises SongError."""
  try:
    jams = json.loads(file.read_text(encoding='utf-8'))
    duration = float(jams['file_metadata']['duration'])
    strings = [each['data'] for each in jams['annotations'] if each['namespace'] == 'note_midi']
    if len(strings) != STRINGS:
      raise ValueError(f'{len(strings)} note_midi annotations, expected one for each of {STRINGS} strings')
    rows = [(float(time), float(time) + float(length), round(float(pitch))) for data in strings for time, length, pitch in _notes(data)]
    notes = Notes.from_rows([(*row, 100, PROGRAM) for row in rows])
  except (OSError, ValueError, KeyError, TypeError) as e:
    found = f'no {e} in it' if isinstance(e, KeyError) else e
    raise SongError('unreadable notes', f'{file}: {found}; expected a JAMS file with file_metadata and notes: fetch it again') from None
  return notes.sorted(), duration


def _notes(data: Any) -> list[tuple[Any, Any, Any]]:
  """(time, duration, value) of each observation; JAMS has them as a list of records or as a dict of columns."""
  if isinstance(data, dict):
    return list(zip(data['time'], data['duration'], data['value'], strict=True))
  return [(each['time'], each['duration'], each['value']) for each in data]


def _record_song(features: tfrecords.Features, source: str) -> tuple[Notes, np.ndarray]:
  return tfrecords.with_instrument(tfrecords.read_sequence(features), PROGRAM), tfrecords.read_wav(features, source)


RECORDS = tfrecords.Layout(id=['id'], needed=['audio', 'sequence', 'velocity_range'], song=_record_song)

CORPUS = Corpus(
  name=ORIGIN.corpus,
  licence=ORIGIN.licence,
  description='GuitarSet: 360 excerpts of about 30 s of acoustic guitar by six players, comping and solos, with notes of each string from '
  'a hexaphonic pickup.',
  homepage='https://guitarset.weebly.com',
  citation="""@inproceedings{xi2018guitarset,
  title={{GuitarSet}: A Dataset for Guitar Transcription},
  author={Xi, Qingyang and Bittner, Rachel M. and Pauwels, Johan and Ye, Xuzhou and Bello, Juan P.},
  booktitle={International Society for Music Information Retrieval Conference},
  year={2018}
}""",
  songs=songs,
  options={'audio': ('mono-mic', 'which recording: mono-mic, pickup_mix, or both')},
)
