"""Laws of cutting a MIDI file into parts."""

import mido
import pytest

from mt3_synth.errors import InputError
from mt3_synth.rendering.parts import read_song
from mt3_synth.rendering.player_clock import player_clock
from tests.render import songs


def notes(part):
  return [(tick, message.note) for tick, message in part.events if message.type == 'note_on' and message.velocity]


def test_a_channel_that_changes_program_becomes_two_parts(tmp_path):
  changing = songs.track(0, 0, (60, 62), 480)
  changing += songs.track(0, 40, (64,), 480)
  song = read_song(songs.save(tmp_path / 'a.mid', changing))
  assert [(part.program, notes(part)) for part in song.parts] == [(0, [(0, 60), (480, 62)]), (40, [(960, 64)])]
  for part in song.parts:  # each says its own program at once, and no other
    changes = [(tick, message.program) for tick, message in part.events if message.type == 'program_change']
    assert changes[0] == (0, part.program)
    assert {program for _, program in changes} == {part.program}


def test_a_note_ends_in_the_part_that_began_it(tmp_path):
  crossing = mido.MidiTrack(
    [
      mido.Message('program_change', program=0),
      mido.Message('note_on', note=60, velocity=80),
      mido.Message('program_change', program=40, time=240),
      mido.Message('note_on', note=72, velocity=80),
      mido.Message('note_on', note=60, velocity=0, time=240),
      mido.Message('note_off', note=72, time=240),
    ]
  )
  piano, violin = read_song(songs.save(tmp_path / 'a.mid', crossing)).parts
  assert [(tick, message.type, message.note) for tick, message in piano.events if 'note' in message.type] == [
    (0, 'note_on', 60),
    (480, 'note_on', 60),
  ]
  assert [(tick, message.type, message.note) for tick, message in violin.events if 'note' in message.type] == [
    (240, 'note_on', 72),
    (720, 'note_off', 72),
  ]


def test_each_part_keeps_its_channels_controls_and_bends(tmp_path):
  one = songs.track(0, 0, (60,), controls=((64, 127), (7, 90), (10, 20), (11, 70)))
  one.append(mido.Message('pitchwheel', pitch=1000, time=10))
  one += songs.track(0, 40, (64,))
  song = read_song(songs.save(tmp_path / 'a.mid', one, songs.track(1, 5, (50,), controls=((7, 1),))))
  for part in song.parts[:2]:
    assert [(message.control, message.value) for _, message in part.events if message.type == 'control_change'] == [
      (64, 127),
      (7, 90),
      (10, 20),
      (11, 70),
    ]
    assert [tick for tick, message in part.events if message.type == 'pitchwheel'] == [250]


def test_stem_files_keep_the_tempo_map_and_the_length(tmp_path):
  conductor = mido.MidiTrack([mido.MetaMessage('set_tempo', tempo=1000000), mido.MetaMessage('set_tempo', tempo=250000, time=480)])
  path = songs.save(tmp_path / 'a.mid', conductor, songs.track(0, 0, (60, 62), 480), songs.track(9, 0, (36,), 480))
  song = read_song(path)
  assert [song.seconds(tick) for tick in (0, 240, 480, 960)] == [0, 0.5, 1.0, 1.25]
  assert song.duration == mido.MidiFile(path).length == 1.25
  assert [round(seconds, 6) for seconds, message in song.timed(song.parts[0]) if message.type == 'note_on'] == [0, 1]
  for part in song.parts:
    song.midi(part).save(tmp_path / 'stem.mid')
    stem = mido.MidiFile(tmp_path / 'stem.mid')
    assert (stem.length, stem.ticks_per_beat) == (1.25, 480)
    assert [message.tempo for message in stem.tracks[0] if message.type == 'set_tempo'] == [1000000, 250000]


def test_the_player_is_early_by_half_a_tick_in_whole_milliseconds(tmp_path):
  for division, due in ((480, 1.0), (24, 0.990)):  # at 120 beats a minute: 1000 - 0.52 and 1000 - 10.4 ms, rounded up
    song = read_song(songs.save(tmp_path / 'a.mid', songs.track(0, 0, (60, 62), 2 * division), division=division))
    assert [seconds for seconds, message in song.timed(song.parts[0], 'player') if message.type == 'note_on'] == [0, due]


def test_the_player_starts_anew_at_each_tempo():
  # 50 ms a tick, then 5.  Tick 3 is due at 125 ms; the player, which looks every 1.45 ms, sees it at 126; tick 13 is due 47.5 ms later.
  clock = player_clock([(3, 50000)], 10, 44100)
  assert [clock(tick) for tick in (0, 1, 2, 3, 13)] == [0, 0.025, 0.075, 0.126, 0.174]


def test_drums_are_the_tenth_channel(tmp_path):
  song = read_song(songs.save(tmp_path / 'a.mid', songs.track(9, 25, (36,)), songs.track(3, 25, (50,))))
  assert [(part.channel, part.is_drum, part.program, part.slakh_program) for part in song.parts] == [(3, False, 25, 25), (9, True, 25, 128)]


def test_files_of_one_track_are_read_too(tmp_path):
  song = read_song(songs.save(tmp_path / 'a.mid', songs.track(0, 3, (60,)) + songs.track(1, 4, (61,)), kind=0))
  assert [(part.channel, part.program) for part in song.parts] == [(0, 3), (1, 4)]


def test_files_that_cannot_be_played_say_why(tmp_path):
  (tmp_path / 'text.mid').write_text('not a MIDI file at all')
  (tmp_path / 'empty.mid').write_bytes(b'')
  whole = songs.save(tmp_path / 'whole.mid', songs.track(0, 0, (60,) * 50)).read_bytes()
  (tmp_path / 'cut.mid').write_bytes(whole[: len(whole) // 2])
  songs.save(tmp_path / 'silent.mid', mido.MidiTrack())
  songs.save(tmp_path / 'patterns.mid', songs.track(0, 0, (60,)), kind=2)
  smpte = bytearray(whole)
  smpte[12:14] = b'\xe7\x28'
  (tmp_path / 'smpte.mid').write_bytes(bytes(smpte))
  expected = {'text': 'not a MIDI file', 'empty': 'not a MIDI file', 'cut': 'not a MIDI file', 'silent': 'no notes', 'patterns': 'type 2'}
  for name, message in (expected | {'smpte': 'SMPTE', 'absent': 'cannot be read'}).items():
    with pytest.raises(InputError, match=message) as error:
      read_song(tmp_path / f'{name}.mid')
    assert f'{name}.mid' in str(error.value)
