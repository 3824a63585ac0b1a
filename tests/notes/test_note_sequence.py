import json
from types import SimpleNamespace

import numpy as np
import pytest

from mt3_synth.errors import InputError
from mt3_synth.notes import Notes, from_note_sequence, to_note_sequence


def sequence(notes, pedals=()):
  """What a NoteSequence looks like to a reader.  notes: (start, end, pitch[, instrument[, is_drum]]); pedals: (time, value, instrument)."""
  columns = ('start_time', 'end_time', 'pitch', 'instrument', 'is_drum')
  full = [(*row, *(0, False)[len(row) - 3 :]) for row in notes]
  return SimpleNamespace(
    notes=[SimpleNamespace(**dict(zip(columns, row, strict=True)), velocity=80, program=7) for row in full],
    control_changes=[SimpleNamespace(time=t, control_value=v, instrument=i, control_number=64) for t, v, i in pedals],
  )


def spans(*args):
  notes = from_note_sequence(sequence(*args))
  return list(zip(notes.onset.tolist(), notes.offset.tolist(), notes.pitch.tolist(), strict=True))


def test_without_pedals_notes_are_as_they_stand():
  assert spans([(1, 2, 60), (0, 1, 62)]) == [(0, 1, 62), (1, 2, 60)]


def test_a_pedal_holds_until_it_comes_up_or_the_pitch_sounds_again():
  assert spans([(0, 1, 60), (0, 1, 62), (2, 3, 60)], [(0.5, 64, 0), (4, 63, 0)]) == [(0, 2, 60), (0, 4, 62), (2, 4, 60)]


def test_a_pedal_belongs_to_its_instrument_and_not_to_drums():
  assert spans([(0, 1, 60), (0, 1, 62, 1), (0, 1, 36, 0, True)], [(0.5, 127, 0), (4, 0, 0)]) == [(0, 4, 60), (0, 1, 62), (0, 1, 36)]


def test_a_pedal_that_stays_down_comes_up_at_the_end():
  assert spans([(0, 1, 60), (2, 3, 62)], [(0.5, 127, 0)]) == [(0, 3, 60), (2, 3, 62)]


def test_notes_struck_together_under_the_pedal_are_one():
  assert spans([(1, 2, 60), (1, 3, 60)], [(0, 127, 0), (5, 0, 0)]) == [(1, 5, 60)]


def test_the_published_pedal_example(golden):
  example = json.loads((golden / 'notes.json').read_text())
  notes = from_note_sequence(sequence([row[:3] for row in example['sustain']], [(t, v, 0) for t, v in example['sustain_cc64']]))
  expected = Notes.from_rows([(*row[:4], 7) for row in example['sustain_applied']]).sorted()
  assert notes == expected


@pytest.fixture(scope='module')
def music_pb2():
  return pytest.importorskip('note_seq.protobuf.music_pb2', reason='note-seq is not installed: pip install mt3_synth[data]')


def test_the_published_sequence(golden, music_pb2):
  notes = from_note_sequence((golden / 'ns.binpb').read_bytes())
  assert notes == Notes.from_rows(json.loads((golden / 'notes.json').read_text())['ns']).sorted()


def test_notes_go_there_and_back(music_pb2):
  notes = Notes.from_rows([(0, 1, 60, 90, 5), (0.5, 2, 62, 91, 9), (1, 1.5, 36, 92, 0, True)])
  proto = to_note_sequence(notes)
  assert proto.total_time == 2
  assert [n.instrument for n in proto.notes] == [0, 1, 2]
  assert from_note_sequence(proto.SerializeToString()) == notes


def test_the_pedal_agrees_with_note_seq(music_pb2):
  sequences_lib = pytest.importorskip('note_seq.sequences_lib', reason='note-seq is not installed: pip install mt3_synth[data]')
  rng = np.random.default_rng(0)
  for _ in range(30):
    proto = music_pb2.NoteSequence()
    for onset in rng.choice(2000, 40, replace=False).tolist():
      length, pitch, instrument = (int(rng.integers(*each)) for each in ((1, 300), (60, 64), (0, 2)))
      proto.notes.add(
        start_time=onset + 0.25,
        end_time=onset + length + 0.5,
        pitch=pitch,
        velocity=int(rng.integers(1, 128)),
        program=instrument,
        instrument=instrument,
        is_drum=False,
      )
    for at in rng.choice(2300, 12, replace=False).tolist():
      proto.control_changes.add(time=at, control_number=64, control_value=int(rng.integers(0, 128)), instrument=int(rng.integers(0, 2)))
    expected = sequences_lib.apply_sustain_control_changes(proto)
    got = from_note_sequence(proto)
    rows = sorted((n.start_time, n.end_time, n.pitch, n.velocity, n.program) for n in expected.notes)
    assert sorted(zip(*(getattr(got, f).tolist() for f in ('onset', 'offset', 'pitch', 'velocity', 'program')), strict=True)) == rows


def test_bytes_that_are_no_sequence_are_refused(music_pb2):
  with pytest.raises(InputError, match='5 bytes that are no NoteSequence'):
    from_note_sequence(b'\xff\xff\xff\xff\xff')
