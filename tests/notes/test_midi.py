import contextlib
import json
import time
import warnings

import mido
import numpy as np
import pytest

from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes import Notes, read_midi, write_midi

DRUMS = 9


def variable(value):
  digits = [value & 127]
  while value := value >> 7:
    digits.append(value & 127 | 128)
  return bytes(reversed(digits))


def chunk(name, data):
  return name + len(data).to_bytes(4, 'big') + data


def track(*events):
  """Events are (ticks since the last, bytes...)."""
  return chunk(b'MTrk', b''.join(variable(delta) + bytes(data) for delta, *data in events))


def midi(*tracks, division=50, kind=1):
  """50 ticks a quarter note at 120 a minute: a tick is 10 ms."""
  header = b''.join(n.to_bytes(2, 'big') for n in (kind, len(tracks), division))
  return chunk(b'MThd', header) + b''.join(tracks)


END = (0, 0xFF, 0x2F, 0)


def on(delta, pitch=60, velocity=90, channel=0):
  return delta, 0x90 | channel, pitch, velocity


def off(delta, pitch=60, channel=0):
  return delta, 0x80 | channel, pitch, 64


def pedal(delta, value, channel=0):
  return delta, 0xB0 | channel, 64, value


def program(delta, number, channel=0):
  return delta, 0xC0 | channel, number


def tempo(delta, microseconds):
  return delta, 0xFF, 0x51, 3, *microseconds.to_bytes(3, 'big')


def spans(data):
  notes = read_midi(data)
  return [(round(a, 6), round(b, 6), p) for a, b, p in zip(notes.onset.tolist(), notes.offset.tolist(), notes.pitch.tolist(), strict=True)]


def programs(data):
  return read_midi(data).program.tolist()


def test_times_and_values():
  notes = read_midi(midi(track(program(0, 40), on(50, 64, 33), off(25, 64), END)))
  assert notes == Notes.from_rows([(0.5, 0.75, 64, 33, 40)])


def test_a_note_on_of_velocity_zero_is_an_off():
  assert spans(midi(track(on(0), on(10, 60, 0), END))) == [(0, 0.1, 60)]


def test_running_status():
  assert spans(midi(track(on(0), (10, 60, 0), (10, 62, 80), (10, 62, 0), END))) == [(0, 0.1, 60), (0.2, 0.3, 62)]


def test_channel_10_is_drums():
  notes = read_midi(midi(track(program(0, 24, DRUMS), on(0, 36, 90, DRUMS), off(5, 36, DRUMS), END)))
  assert notes == Notes.from_rows([(0, 0.05, 36, 90, 0, True)])


def test_the_tempo_map_of_any_track_counts_for_all():
  conductor = track(tempo(100, 1_000_000), END)  # after 1 s, half as fast
  assert spans(midi(conductor, track(on(50), off(100), END))) == [(0.5, 2, 60)]
  assert spans(midi(track(on(50), off(100), END), conductor)) == [(0.5, 2, 60)]


def test_smpte_time_ignores_tempo():
  division = (256 - 25) << 8 | 40  # 25 frames of 40 ticks: 1 ms
  assert spans(midi(track(tempo(0, 1_000_000), on(100), off(400), END), division=division)) == [(0.1, 0.5, 60)]


def test_a_program_change_inside_a_track_counts_from_there():
  data = midi(track(program(0, 5), on(0), program(5, 6), off(5), on(0), off(5), END))
  assert programs(data) == [5, 6]


def test_a_program_set_in_another_track_counts_for_the_channel():
  assert programs(midi(track(program(0, 5), program(10, 6), END), track(on(0), off(10), on(10), off(10), END))) == [5, 6]


def test_a_track_keeps_the_program_it_chose():
  parts = [track(program(0, n), on(10 * n, 60 + n), off(5, 60 + n), END) for n in range(3)]
  assert programs(midi(*parts)) == [0, 1, 2]


def test_the_songs_of_format_2_follow_each_other():
  song = track(on(0), off(10), END)
  assert spans(midi(song, song, kind=2)) == [(0, 0.1, 60), (0.1, 0.2, 60)]


def test_a_pedalled_note_lasts_until_the_pedal_comes_up():
  assert spans(midi(track(pedal(0, 64), on(10), off(10), pedal(30, 63), END))) == [(0.1, 0.5, 60)]


def test_a_pedalled_note_ends_where_its_pitch_sounds_again():
  data = midi(track(pedal(0, 127), on(10), off(10), on(10), off(10), pedal(10, 0), END))
  assert spans(data) == [(0.1, 0.3, 60), (0.3, 0.5, 60)]


def test_a_held_key_outlasts_the_pedal():
  assert spans(midi(track(pedal(0, 127), on(10), pedal(10, 0), off(20), END))) == [(0.1, 0.4, 60)]


def test_the_pedal_belongs_to_its_channel_in_every_track():
  pedals = track(pedal(0, 127), pedal(50, 0), END)
  assert spans(midi(pedals, track(on(0), off(10), on(0, 62, 90, 1), off(10, 62, 1), END))) == [(0, 0.5, 60), (0.1, 0.2, 62)]


def test_the_pedal_leaves_drums_alone():
  assert spans(midi(track(pedal(0, 127, DRUMS), on(0, 36, 90, DRUMS), off(10, 36, DRUMS), pedal(10, 0, DRUMS), END))) == [(0, 0.1, 36)]


def test_pedal_up_and_down_in_one_tick_ends_what_rang():
  data = midi(track(pedal(0, 127), on(0), off(10), pedal(10, 0), pedal(0, 127), on(0, 62), off(10, 62), pedal(10, 0), END))
  assert spans(data) == [(0, 0.2, 60), (0.2, 0.4, 62)]


def test_a_pedal_that_stays_down_comes_up_at_the_last_event():
  assert spans(midi(track(pedal(0, 127), on(0), off(10), on(10, 62), off(10, 62), (99, 0xFF, 0x2F, 0)))) == [(0, 0.3, 60), (0.2, 0.3, 62)]


def test_a_note_struck_twice_at_once_under_the_pedal_is_one():
  assert spans(midi(track(pedal(0, 127), on(0), on(0), off(10), off(0), pedal(10, 0), END))) == [(0, 0.2, 60)]


def test_all_notes_off_leaves_the_pedal_and_all_sound_off_does_not():
  assert spans(midi(track(pedal(0, 127), on(0), (10, 0xB0, 123, 0), pedal(10, 0), END))) == [(0, 0.2, 60)]
  assert spans(midi(track(pedal(0, 127), on(0), (10, 0xB0, 120, 0), pedal(10, 0), END))) == [(0, 0.1, 60)]
  assert spans(midi(track(pedal(0, 127), on(0), off(10), (5, 0xB0, 121, 0), END))) == [(0, 0.15, 60)]


def test_one_off_ends_all_notes_of_its_key():
  assert spans(midi(track(on(0), on(10), off(10), off(10), END))) == [(0, 0.2, 60), (0.1, 0.2, 60)]


def test_a_key_struck_again_in_the_tick_of_its_off_goes_on():
  assert spans(midi(track(on(0), on(10), off(0), off(10), END))) == [(0, 0.1, 60), (0.1, 0.2, 60)]


def test_the_same_key_in_two_tracks_is_two():
  assert spans(midi(track(on(0), off(30), END), track(on(10), off(10), END))) == [(0, 0.3, 60), (0.1, 0.2, 60)]


def test_bends_aftertouch_sysex_and_unknown_chunks_are_passed_over():
  data = midi(
    track((0, 0xE0, 0, 64), on(0), (1, 0xD0, 9), (1, 0xA0, 60, 9), (1, 0xF0, 2, 1, 0xF7), (1, 0xFF, 0x7F, 1, 0), off(6), END),
    chunk(b'XFIH', b'any'),
  )
  with pytest.warns(InputWarning, match='1 of 2 tracks'):  # the header counts the chunk
    assert spans(data) == [(0, 0.1, 60)]


def test_a_riff_wrapped_file():
  data = midi(track(on(0), off(10), END))
  assert spans(b'RIFF' + bytes(4) + b'RMIDdata' + bytes(4) + data) == [(0, 0.1, 60)]


def test_a_bad_key_signature_is_no_matter():
  assert spans(midi(track((0, 0xFF, 0x59, 2, 99, 7), on(0), off(10), END))) == [(0, 0.1, 60)]


# What can't be read, and what can in part.


@pytest.mark.parametrize(
  ('data', 'words'),
  [
    (b'', 'empty'),
    (b'not a midi file', 'not a MIDI file'),
    (b'MThd\0\0', 'too few'),
    (midi(), 'no notes in 0 tracks'),
    (midi(track(END)), 'no notes in 1 tracks'),
    (midi(track(on(0), off(10), END), division=0), '0 ticks'),
    (midi(track(on(0), off(10), END), kind=7), 'format 7'),
    (midi(track((0, 60, 60), END)), 'no notes.*damaged at byte'),
    (midi(track((0, 60, 60), END))[:-6], 'no notes.*cut off'),
    (midi(track(on(2**28 - 1), off(10), END)), 'lasts 746 hours'),
    (midi(track((0, 0x90, 60, 90))), 'no notes'),
  ],
)
def test_nothing_usable_is_one_error(data, words):
  with pytest.raises(InputError, match=words):
    read_midi(data)


def test_errors_name_the_file(tmp_path):
  with pytest.raises(InputError, match=r'lost\.mid: no such file'):
    read_midi(tmp_path / 'lost.mid')
  with pytest.raises(InputError, match='a directory'):
    read_midi(tmp_path)
  (tmp_path / 'text.mid').write_text('hello')
  with pytest.raises(InputError, match=r'text\.mid.*not a MIDI file'):
    read_midi(tmp_path / 'text.mid')
  with pytest.raises(InputError, match='could not be read'):
    read_midi('a\0b')


def test_a_file_cut_anywhere_gives_its_start_or_one_error():
  data = midi(track(program(0, 5), END), track(on(0), off(10), pedal(5, 127), on(5, 62), off(10, 62), END))
  whole = spans(data)
  kept = set()
  for length in range(len(data)):
    with warnings.catch_warnings(record=True) as caught:
      warnings.simplefilter('always')
      try:
        found = spans(data[:length])
      except InputError:
        continue
    assert len(caught) == 1
    assert issubclass(caught[0].category, InputWarning)
    assert 'cut off' in str(caught[0].message) or 'tracks present' in str(caught[0].message)
    assert [pitch for _, _, pitch in found] == [pitch for _, _, pitch in whole][: len(found)]
    kept.add(len(found))
  assert kept == {1, 2}


def test_random_bytes_never_raise_another_error():
  rng = np.random.default_rng(0)
  good = midi(
    track(program(0, 5), on(0), off(10), pedal(5, 127), on(5, 62), off(10, 62), END), track(tempo(0, 400_000), on(0), off(9), END)
  )
  for _ in range(500):
    data = bytearray(good)
    for at in rng.integers(14, len(data), 3):
      data[at] = rng.integers(256)
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      with contextlib.suppress(InputError):
        read_midi(bytes(data))


def test_velocities_over_127_are_lowered_and_pitches_over_127_left_out():
  data = midi(track(on(0, 60, 200), off(10), (0, 0x90, 130, 90), off(10, 61), END))
  with pytest.warns(InputWarning, match='2 messages with data bytes over 127'):
    assert read_midi(data) == Notes.from_rows([(0, 0.1, 60, 127)])


def test_notes_without_an_off_end_with_the_file():
  with pytest.warns(InputWarning, match='1 notes have no note-off'):
    assert spans(midi(track(on(0), (50, 0xFF, 0x2F, 0)))) == [(0, 0.5, 60)]


def test_a_note_of_no_length_is_left_out_but_a_drum_hit_has_none():
  with pytest.warns(InputWarning, match='1 notes have no length'):
    assert spans(midi(track(on(0, 60), off(0, 60), on(5, 61), off(5, 61), END))) == [(0.05, 0.1, 61)]
  assert spans(midi(track(on(7, 36, 90, DRUMS), off(0, 36, DRUMS), END))) == [(0.07, 0.07, 36)]


def test_two_hours_are_read_in_moments():
  data = midi(track(*(event for n in range(100_000) for event in (on(3, 30 + n % 60), off(4, 30 + n % 60))), END))
  start = time.perf_counter()
  notes = read_midi(data)
  assert time.perf_counter() - start < 5
  assert len(notes) == 100_000
  assert notes.duration == pytest.approx(7000)


# Writing.


def piece():
  rng = np.random.default_rng(0)
  onset = np.sort(rng.integers(0, 3000, 300)) / 100
  length = rng.integers(1, 200, 300) / 100
  columns = rng.integers(0, 128, 300), rng.integers(1, 128, 300), rng.integers(0, 128, 300)
  drum = rng.random(300) < 0.2
  return Notes(onset, onset + length, columns[0], columns[1], np.where(drum, 0, columns[2]), drum).trim_overlaps()


def test_writing_and_reading_gives_the_notes_back(tmp_path):
  notes = piece()
  assert len(np.unique(notes.program)) > 100
  write_midi(notes, tmp_path / 'a.mid')
  again = read_midi(tmp_path / 'a.mid')
  for column in ('onset', 'offset'):
    np.testing.assert_allclose(getattr(again, column), getattr(notes, column), atol=1e-9)
  for column in ('pitch', 'velocity', 'program', 'is_drum'):
    assert (getattr(again, column) == getattr(notes, column)).all()


def test_other_readers_find_the_programs_at_each_note(tmp_path):
  """A sound module follows program changes by channel in order of time; so must the file."""
  notes = piece()
  write_midi(notes, tmp_path / 'a.mid')
  found, current, ticks = [], {}, 0
  for message in mido.MidiFile(tmp_path / 'a.mid').merged_track:
    ticks += message.time
    if message.type == 'program_change':
      current[message.channel] = message.program
    elif message.type == 'note_on':
      found.append((ticks, 0 if message.channel == DRUMS else current[message.channel], message.note))
  assert sorted(found) == sorted(zip(np.rint(notes.onset * 10000).tolist(), notes.program.tolist(), notes.pitch.tolist(), strict=True))


def test_what_can_not_be_written(tmp_path):
  with pytest.raises(InputError, match=r'starts at -0\.500'):
    write_midi(Notes.from_rows([(-0.5, 1, 60)]), tmp_path / 'a.mid')
  with pytest.raises(InputError, match='could not be written'):
    write_midi(Notes.from_rows([(0, 1, 60)]), tmp_path / 'no' / 'a.mid')


# The published reader.


def columns(notes):
  return sorted(zip(*(getattr(notes, f).tolist() for f in ('onset', 'offset', 'pitch', 'velocity', 'program', 'is_drum')), strict=True))


def test_the_published_notes(golden):
  for file in sorted((golden / 'midi').glob('*.npz')):
    with np.load(file) as expected:
      pitch, velocity, onset, offset, program, drum = expected['notes_after_sustain'].T[:6]
      total = float(expected['total_time'])
    notes = read_midi(file.with_suffix('.mid'))
    program = np.where(drum > 0, 0, program)
    assert columns(notes) == columns(Notes(onset, offset, pitch, velocity, program, drum)), file.name
    assert notes.duration == total


def test_the_published_notes_of_the_hand_made_piece(golden):
  expected = json.loads((golden / 'notes.json').read_text())['ns_midi_roundtrip']
  assert columns(read_midi(golden / 'ns.mid')) == columns(Notes.from_rows(expected))
