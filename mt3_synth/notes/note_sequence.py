"""Notes <-> note-seq's NoteSequence, the protocol buffer of Magenta's corpora; the only module that needs note-seq."""

import functools
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mt3_synth.errors import InputError
from mt3_synth.notes.note_list import Notes

_SUSTAIN = 64


def from_note_sequence(sequence: Any) -> Notes:
  """Notes of a NoteSequence, its sustain pedal applied; sorted by onset.

  A pedal (control 64, down from 64 on) belongs to an instrument of the sequence; notes under it last until it comes up or the same pitch
  of the instrument sounds again; at the end of the sequence it comes up.  As in note-seq, of events at one time the pedal goes down
  first, then up, then notes start, then end.  Drums are left alone.

  Args:
    sequence: the proto, or its serialized bytes (then note-seq must be installed: `pip install mt3_synth[data]`).

  Raises:
    InputError: the bytes are no NoteSequence, or its notes are malformed.
  """
  if isinstance(sequence, bytes):
    sequence = _parse(sequence)
  notes = sequence.notes
  rows = [(n.start_time, n.end_time, n.pitch, n.velocity, 0 if n.is_drum else n.program, n.is_drum) for n in notes]
  instrument = [n.instrument for n in notes]
  pedals = [(c.time, c.control_value >= 64, c.instrument) for c in sequence.control_changes if c.control_number == _SUSTAIN]
  plain = Notes.from_rows(rows)
  if not pedals:
    return plain.sorted()
  return _apply_pedals(plain, np.array(instrument), pedals).sorted()


def to_note_sequence(notes: Notes) -> Any:
  """A NoteSequence of the notes, one of its instruments for each program and for drums; needs note-seq."""
  sequence = _music_pb2().NoteSequence()
  sequence.total_time = notes.duration
  parts = np.where(notes.is_drum, 128, notes.program)
  instruments = np.unique(parts, return_inverse=True)[1]
  columns = (notes.onset, notes.offset, notes.pitch, notes.velocity, notes.program, notes.is_drum, instruments)
  for onset, offset, pitch, velocity, program, is_drum, instrument in zip(*(each.tolist() for each in columns), strict=True):
    sequence.notes.add(
      start_time=onset,
      end_time=offset,
      pitch=pitch,
      velocity=velocity,
      program=program,
      is_drum=is_drum,
      instrument=instrument,
    )
  return sequence


def _apply_pedals(notes: Notes, instrument: np.ndarray, pedals: list) -> Notes:
  offset = notes.offset.copy()
  kept = np.ones(len(notes), bool)
  end = max([notes.duration, *(time for time, _, _ in pedals)])
  for each in np.unique(instrument):
    own = sorted((time, not down) for time, down, of in pedals if of == each)  # down before up
    if not own:
      continue
    times = np.array([time for time, _ in own])
    down = np.array([not up for _, up in own])
    ups = np.append(times[~down], end)
    mine = np.flatnonzero((instrument == each) & ~notes.is_drum)
    mine = mine[np.argsort(notes.onset[mine], kind='stable')]
    held = _pedal_down(times, down, notes.offset[mine])
    after = ups[np.searchsorted(ups[:-1], notes.offset[mine], 'right')]
    offset[mine] = np.where(held, np.maximum(after, notes.offset[mine]), notes.offset[mine])
    struck_under = _pedal_down(times, down, notes.onset[mine])
    for pitch in np.unique(notes.pitch[mine]):
      same = mine[notes.pitch[mine] == pitch]
      cuts = np.flatnonzero(struck_under[notes.pitch[mine] == pitch])
      following = np.searchsorted(cuts, np.arange(len(same)), 'right')
      cut = following < len(cuts)
      next_onset = notes.onset[same[cuts[following[cut]]]]
      kept[same[cut]] &= notes.onset[same[cut]] < next_onset
      offset[same[cut]] = np.minimum(offset[same[cut]], next_onset)
  return Notes(notes.onset, offset, notes.pitch, notes.velocity, notes.program, notes.is_drum).select(kept)


def _pedal_down(times: np.ndarray, down: np.ndarray, at: np.ndarray) -> np.ndarray:
  last = np.searchsorted(times, at, 'right') - 1
  return (last >= 0) & down[last]


def _parse(data: bytes) -> Any:
  from google.protobuf.message import DecodeError

  try:
    return _music_pb2().NoteSequence.FromString(data)
  except DecodeError as e:
    raise InputError(f'NoteSequence: {len(data)} bytes that are no NoteSequence ({e}); is the record of another type?') from None


@functools.cache
def _music_pb2():
  if 'note_seq' in sys.modules:
    return importlib.import_module('note_seq.protobuf.music_pb2')
  # This one file: the package itself loads pandas and bokeh, which takes seconds and hundreds of megabytes in every process.
  package = importlib.util.find_spec('note_seq')
  if package is None or package.origin is None:
    raise InputError('NoteSequence: note-seq is not installed; run: pip install mt3_synth[data]')
  name = 'note_seq.protobuf.music_pb2'
  spec = importlib.util.spec_from_file_location(name, Path(package.origin).parent / 'protobuf' / 'music_pb2.py')
  assert spec is not None
  assert spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module
