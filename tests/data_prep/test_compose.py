"""Laws of the composer."""

import collections
import io

import mido
import pytest

from data_prep.compose import __main__ as command
from data_prep.compose.accompaniment import FIGURES
from data_prep.compose.bass import STYLES, compose_bass
from data_prep.compose.chorale import compose_chorale
from data_prep.compose.draw import Draw
from data_prep.compose.drumming import compose_drums, grooves_for
from data_prep.compose.ensembles import ENSEMBLES
from data_prep.compose.etude import compose_etude
from data_prep.compose.form import plan_passages
from data_prep.compose.instruments import ALL_DRUMS, full_range, playing_range
from data_prep.compose.melody import compose_melody, running, varied
from data_prep.compose.piece import compose_piece
from data_prep.compose.score import Note, Score, Voice, tidy
from data_prep.compose.themes import THEMES
from data_prep.compose.theory import Key, chord, chord_named, dominant_of, voicing


def passages(seed, beats=4, harmony='classical', modes=('major',), bars=32):
  return plan_passages(Draw(f'{seed}'), beats=beats, bars=bars, modes=modes, harmony=harmony)


def read(data):
  """(program or 128, pitch, velocity, seconds) of every note of a MIDI file."""
  programs, open_notes, notes, now = {}, {}, [], 0.0
  for message in mido.MidiFile(file=io.BytesIO(data)):
    now += message.time
    if message.type == 'program_change':
      programs[message.channel] = message.program
    elif message.type == 'note_on' and message.velocity:
      assert (message.channel, message.note) not in open_notes, 'a key struck while it sounds'
      open_notes[message.channel, message.note] = (message.velocity, now)
    elif message.type in ('note_on', 'note_off'):
      velocity, start = open_notes.pop((message.channel, message.note))
      program = 128 if message.channel == 9 else programs[message.channel]
      notes.append((program, message.note, velocity, now - start))
  assert not open_notes
  return notes


def test_chords_by_hand():
  c, a = Key(0, 'major'), Key(9, 'minor')
  assert chord(c, 5, seventh=True).tones == (7, 11, 2, 5)
  assert chord(a, 5).tones == (4, 8, 11)  # with its leading tone
  assert chord(a, 1).tones == (9, 0, 4)
  assert dominant_of(c, 2).tones == (9, 1, 4, 7)
  assert set(dominant_of(c, 2).tones) <= set(dominant_of(c, 2).scale)
  assert chord_named('F#m7', c).tones == (6, 9, 1, 4)
  assert voicing(chord(c, 1), 60, 72, 3) == [64, 67, 72]
  assert voicing(chord(c, 4), 55, 72, 3, before=[60, 64, 67]) == [60, 65, 69]


def test_notes_on_one_key_do_not_overlap():
  notes = tidy(
    [Note(0, 2, 60, 80), Note(1, 1, 60, 200), Note(1, 1, 62, 80), Note(1.01, 1, 60, 80), Note(0, 1, 200, 80), Note(0, 0, 61, 80)]
  )
  assert [(note.start, note.length, note.pitch, note.velocity) for note in notes] == [(0, 0.98, 60, 80), (1, 1, 60, 127), (1, 1, 62, 80)]


def test_a_score_is_as_long_as_its_midi_file():
  score = Score('a', (4, 4), [(0, 60), (2, 120)], [Voice(0, [Note(0, 1, 60, 80), Note(3, 1, 62, 80)])])
  assert score.seconds == 3.0
  assert mido.MidiFile(file=io.BytesIO(score.midi())).length == pytest.approx(3.0)


@pytest.mark.parametrize('seed', range(8))
def test_classical_phrases_come_home(seed):
  """Every passage ends on the tonic of its key, every half cadence on the dominant, and chords fill the bars without a gap."""
  for passage in passages(seed):
    ends = [span.start + span.length for span in passage.spans]
    assert [0.0, *ends] == [*(span.start for span in passage.spans), passage.length]
    assert passage.spans[-1].chord.root == passage.key.tonic
    for phrase, cadence in enumerate(passage.cadences):
      last = passage.at(passage.beats * (4 * phrase + 4) - 0.5)
      assert last.root == (passage.key.tonic if cadence == 'full' else passage.key.scale[4])


@pytest.mark.parametrize('beats', [2, 3, 4])
@pytest.mark.parametrize('seed', range(5))
def test_melodies_fit_their_chords(seed, beats):
  for passage in passages(seed, beats, modes=('major', 'minor')):
    melody = compose_melody(Draw(f'{seed}'), passage, 60, 80)
    assert all(60 <= pitch <= 80 for _, _, pitch in melody)
    assert all(pitch % 12 in passage.at(start).scale + passage.at(start).tones for start, _, pitch in melody)
    strong = [(start, pitch) for start, length, pitch in melody if start % beats % 2 == 0 or length >= 1.5]
    assert all(pitch % 12 in passage.at(start).tones for start, pitch in strong)
    assert melody[-1][2] % 12 == passage.key.tonic
    for line in (varied(Draw('v'), melody, passage, 60, 80), running(Draw('r'), passage, 50, 80)):
      assert sum(length for _, length, _ in line) <= passage.length + 1e-6
      assert all(later[0] >= earlier[0] + earlier[1] - 1e-6 for earlier, later in zip(line, line[1:], strict=False))


@pytest.mark.parametrize('name', FIGURES)
@pytest.mark.parametrize('beats', [3, 4])
def test_figures_play_chord_tones_in_their_time(name, beats):
  for passage in passages(3, beats, modes=('major', 'minor')):
    line = FIGURES[name](Draw('f'), passage, 43, 67)
    assert line
    for start, length, pitch in line:
      assert 43 <= pitch <= 67
      assert pitch % 12 in passage.at(start - start % 0.5).tones  # a strum's strings follow one another
      assert 0 <= start < passage.length
      assert start + length <= passage.length + 0.1


@pytest.mark.parametrize('style', STYLES)
def test_basses_begin_each_bar_from_its_chord(style):
  for passage in passages(4, harmony='loop'):
    line = compose_bass(Draw('b'), passage, 28, 52, style)
    assert all(28 <= pitch <= 52 for _, _, pitch in line)
    assert all(pitch % 12 in passage.at(start).tones for start, _, pitch in line if start % 4 == 0)


def test_chorale_voices_keep_their_ranges_and_order():
  ranges = [(60, 81), (55, 74), (48, 67), (40, 60)]
  for passage in passages(5):
    lines = compose_chorale(Draw('c'), passage, ranges)
    for (low, high), line in zip(ranges, lines, strict=True):
      assert all(low <= pitch <= high for _, _, pitch in line)
      assert sum(length for _, length, _ in line) == pytest.approx(passage.length)
    for span in passage.spans:
      chords = [next(pitch for start, _, pitch in line if start == span.start) for line in lines]
      assert chords == sorted(chords, reverse=True)
      assert chords[-1] % 12 == span.chord.root


def test_drums_stay_in_their_bars():
  for beats in (2, 3, 4):
    for groove in grooves_for(beats):
      for passage in passages(6, beats):
        hits = compose_drums(Draw('d'), passage, groove, first=True)
        assert hits
        assert all(0 <= at < passage.length and drum in ALL_DRUMS and 0 < strength <= 1 for at, drum, strength in hits)


def test_themes_have_as_many_beats_of_chords_as_of_melody():
  for theme in THEMES:
    chords = sum(float(word.split(':')[1]) for word in theme.chords.split())
    assert theme.length == chords, theme.title
    assert theme.length % theme.beats == 0, theme.title
    assert theme.line()[-1][2] % 12 == theme.key.tonic, theme.title


@pytest.mark.parametrize('ensemble', [each.name for each in ENSEMBLES])
def test_every_ensemble_plays_within_its_ranges(ensemble):
  for theme in ('', 'any'):
    score = compose_piece(Draw('e'), (40, 80), ensemble, theme)
    notes = read(score.midi())
    for program, pitch, velocity, _ in notes:
      low, high = playing_range(program) if program < 128 else (35, 81)
      assert low <= pitch <= high, (program, pitch)
      assert 12 <= velocity <= 127
    assert len({velocity for _, _, velocity, _ in notes}) > 10
    programs = {player.program for player in next(each for each in ENSEMBLES if each.name == ensemble).players}
    assert {program for program, *_ in notes} <= {128 if program < 0 else program for program in programs}


def test_the_ensembles_have_many_instruments():
  programs = {player.program for ensemble in ENSEMBLES for player in ensemble.players}
  assert len(programs) >= 40
  assert len({ensemble.name for ensemble in ENSEMBLES}) == len(ENSEMBLES)


def test_thirty_two_etudes_have_every_program_and_every_drum():
  heard, velocities = collections.defaultdict(list), set()
  for number in range(32):
    score = compose_etude(Draw('0'), number, (40, 70))
    assert 38 <= score.seconds <= 72
    for program, pitch, velocity, seconds in read(score.midi()):
      heard[program].append((pitch, seconds))
      velocities.add(velocity)
  assert set(heard) == set(range(129))
  assert {pitch for pitch, _ in heard[128]} == set(ALL_DRUMS)
  for program in range(128):
    pitches, lengths = {pitch for pitch, _ in heard[program]}, [seconds for _, seconds in heard[program]]
    low, high = full_range(program)
    assert low <= min(pitches) <= max(pitches) <= high
    assert len(pitches) >= 10
    assert min(lengths) < 0.4
    assert max(lengths) > 0.7
  assert velocities >= set(range(30, 127))


def test_the_same_seed_writes_the_same_bytes(tmp_path, capsys):
  for name, seed in (('a', '1'), ('b', '1'), ('c', '2')):
    assert command.main(['--out', str(tmp_path / name), '--pieces', '6', '--seed', seed]) == 0
  a, b, c = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in 'abc')
  assert a == b
  assert set(a.values()).isdisjoint(c.values())
  assert len([name for name in a if name.startswith('etude')]) == 3
  for data in a.values():
    assert 40 <= mido.MidiFile(file=io.BytesIO(data)).length <= 120.5


@pytest.mark.parametrize(
  'words', [['--pieces', '0'], ['--pieces', '1', '--seconds', '5', '60'], ['--pieces', '1', '--seconds', '60', '50']]
)
def test_what_cannot_be_composed_is_one_line(words, tmp_path, capsys):
  assert command.main(['--out', str(tmp_path / 'out'), *words]) == 2
  assert capsys.readouterr().err.count('\n') == 1
  assert not (tmp_path / 'out').exists()


def test_an_unwritable_folder_is_one_line(tmp_path, capsys):
  (tmp_path / 'file').write_text('')
  assert command.main(['--out', str(tmp_path / 'file'), '--pieces', '1']) == 2
  assert 'cannot be written' in capsys.readouterr().err
