"""Laws of `mt3-synth render`."""

import hashlib
import importlib
import sys

import numpy as np
import pytest
import soundfile
import yaml

from mt3_synth import cli
from mt3_synth.rendering import track as track_module
from mt3_synth.rendering.track import RenderSettings, level
from tests.render import reference, songs

SLAKH_KEYS = {'UUID', 'normalization_factor', 'overall_gain', 'stems', 'target_peak'}
STEM_KEYS = {'audio_rendered', 'inst_class', 'is_drum', 'midi_program_name', 'midi_saved', 'plugin_name', 'program_num'}


def render(midi, out, *options):
  return cli.main(['render', str(midi), '--soundfont', str(reference.SOUNDFONT), '--out', str(out), *options])


def files(folder):
  return {str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in folder.rglob('*') if path.is_file()}


@pytest.fixture(autouse=True)
def _fluidsynth():
  reference.needs_fluidsynth()


@pytest.fixture(scope='module')
def midi(tmp_path_factory):
  return songs.folder(tmp_path_factory.mktemp('midi'))


@pytest.fixture(scope='module')
def corpus(midi, tmp_path_factory):
  reference.needs_fluidsynth()
  out = tmp_path_factory.mktemp('corpus') / 'out'
  assert render(midi, out, '--jobs', '1') == 0
  return out


def test_the_corpus_has_slakhs_layout(corpus, midi):
  tracks = sorted(corpus.glob('*/*'))
  assert sorted(path.parent.name for path in tracks) == ['test', 'train', 'validation']
  assert sorted(path.name for path in tracks) == ['Track00001', 'Track00002', 'Track00003']
  assert sorted(path.name for path in corpus.iterdir()) == ['test', 'train', 'validation']
  for folder in tracks:
    names = ('S00', 'S01', 'S02')
    expected = {
      'all_src.mid',
      'metadata.yaml',
      'mix.flac',
      *(f'MIDI/{name}.mid' for name in names),
      *(f'stems/{name}.flac' for name in names),
    }
    assert set(files(folder)) == expected
    metadata = yaml.safe_load((folder / 'metadata.yaml').read_text())
    assert set(metadata) >= SLAKH_KEYS
    assert all(set(stem) == STEM_KEYS for stem in metadata['stems'].values())
    assert [metadata['stems'][name]['program_num'] for name in names] == [0, 32, 128]
    assert [metadata['stems'][name]['inst_class'] for name in names] == ['Piano', 'Bass', 'Drums']
    assert (folder / 'all_src.mid').read_bytes() == (midi / metadata['source']).read_bytes()


def test_stems_sum_to_the_mix(corpus):
  for mix in corpus.glob('*/*/mix.flac'):
    stems = [soundfile.read(path, dtype='int16')[0].astype(int) for path in mix.parent.glob('stems/*')]
    total = soundfile.read(mix, dtype='int16')[0]
    assert len(stems) == 3
    assert all(np.abs(stem).max() > 100 for stem in stems)
    assert np.array_equal(sum(stems), total)


def test_the_mix_is_mono_at_the_asked_rate_with_a_tail(midi, tmp_path):
  assert render(midi, tmp_path / 'out', '--sample-rate', '22050', '--format', 'wav', '--no-stems', '--tail', '1.5', '--jobs', '1') == 0
  for mix in (tmp_path / 'out').glob('*/*/mix.wav'):
    info = soundfile.info(mix)
    assert (info.samplerate, info.channels, info.subtype) == (22050, 1, 'PCM_16')
    assert info.frames == round((1.0 + 1.5) * 22050)  # four notes of a quarter of a second
    assert not (mix.parent / 'stems').exists()


def test_one_process_or_two_give_the_same_bytes(corpus, midi, tmp_path):
  assert render(midi, tmp_path / 'out', '--jobs', '2') == 0
  assert files(tmp_path / 'out') == files(corpus)


def test_a_second_run_does_what_is_missing(corpus, midi, tmp_path):
  out = tmp_path / 'out'
  assert render(midi, out, '--jobs', '1') == 0
  half = next(out.glob('train/*'))  # as if killed between writing and moving, in an older run
  (half / 'metadata.yaml').unlink()
  (half / 'mix.flac').write_bytes(b'half')
  (out / '.partial' / half.name).mkdir(parents=True)
  (out / '.partial' / half.name / 'mix.flac').write_bytes(b'half')
  stamps = {path: path.stat().st_mtime_ns for path in out.rglob('*.flac') if half not in path.parents and '.partial' not in str(path)}
  assert render(midi, out, '--jobs', '1') == 0
  assert files(out) == files(corpus)
  assert stamps == {path: path.stat().st_mtime_ns for path in stamps}


def test_an_interrupted_run_leaves_whole_tracks_only(corpus, midi, tmp_path, monkeypatch):
  out = tmp_path / 'out'
  write, written = soundfile.write, []

  def interrupted(path, *args, **kwargs):
    written.append(path)
    if len(written) == 6:  # in the middle of the second track
      raise KeyboardInterrupt
    return write(path, *args, **kwargs)

  monkeypatch.setattr(track_module.soundfile, 'write', interrupted)
  assert render(midi, out, '--jobs', '1') == 130
  monkeypatch.undo()
  left, whole = files(out), files(corpus)
  assert {path.split('/')[1] for path in left} == {'Track00001'}
  assert left.items() <= whole.items()
  assert len(left) == len(whole) / 3
  assert render(midi, out, '--jobs', '1') == 0
  assert files(out) == whole


def test_damaged_files_are_skipped_and_listed(tmp_path, capsys):
  midi = songs.folder(tmp_path / 'midi', 2)
  (midi / 'broken.mid').write_bytes(b'MThd nonsense')
  songs.save(midi / 'endless.mid', songs.track(0, 0, (60,), 480 * 60 * 10))
  assert render(midi, tmp_path / 'out', '--jobs', '1', '--max-minutes', '2') == 3
  printed = capsys.readouterr()
  assert '2 tracks rendered' in printed.out
  assert '2 skipped' in printed.out
  assert 'broken.mid: not a MIDI file' in printed.err
  assert 'endless.mid: 5 minutes long' in printed.err
  assert len(list((tmp_path / 'out').glob('*/*/mix.flac'))) == 2


def test_other_settings_do_not_mix_in_one_corpus(corpus, midi, tmp_path, capsys):
  before = files(corpus)
  other = songs.folder(tmp_path / 'midi', 3)
  songs.save(other / 'a_new_song.mid', songs.track(0, 0, (50,)))
  for folder, options, message in (
    (midi, ('--sample-rate', '22050'), 'sample_rate 16000, now 22050'),
    (midi, ('--split', '0,0,1'), 'choose another --out'),
    (other, ('--split', '1,0,0'), 'choose another --out'),
  ):
    assert render(folder, corpus, *options) == 2
    assert message in capsys.readouterr().err
  assert files(corpus) == before


def test_a_part_with_controls_sounds_with_them(tmp_path):
  loud = []
  for name, controls in (('plain', ()), ('soft', ((7, 30),)), ('pedal', ((64, 127),))):
    midi = tmp_path / name
    lead = songs.track(1, 80, (60,) * 8, 480)  # the level of the mix hangs on it
    songs.save(midi / 'a.mid', songs.track(0, 0, (72, 48), 120, controls), lead)
    assert render(midi, tmp_path / f'{name} out', '--jobs', '1', '--split', '1,0,0') == 0
    piano = soundfile.read(tmp_path / f'{name} out' / 'train/Track00001/stems/S00.flac')[0]
    loud.append((np.abs(piano[:4000]).max(), np.square(piano[12000:24000]).mean()))
  (plain, short), (soft, _), (_, ringing) = loud
  assert soft < 0.2 * plain
  assert ringing > 10 * short


def test_all_of_three_hundred_keys_at_once_sound(tmp_path):
  """No voice is stolen: the sum of the parts alone is what they are together."""
  keys = range(21, 109)
  for name, channels in (('two', (0, 1)), ('one', (0,))):
    tracks = []
    for channel in channels:
      events = songs.track(channel, 0, ())
      events += [songs.mido.Message('note_on', channel=channel, note=key, velocity=60) for key in keys]
      events.append(songs.mido.Message('note_off', channel=channel, note=21, time=960))
      tracks.append(events)
    songs.save(tmp_path / name / 'a.mid', *tracks)
  from mt3_synth.rendering.fluidsynth import synthesizer
  from mt3_synth.rendering.parts import read_song

  synth = synthesizer(reference.SOUNDFONT)
  song = read_song(tmp_path / 'one' / 'a.mid')
  both = synth.play(song.timed(song.parts[0]), 1.0, 0.5)
  alone = np.zeros_like(both)
  for first in range(0, 88, 22):
    some = [(at, each) for at, each in song.timed(song.parts[0]) if 'note' not in each.type or each.note - 21 in range(first, first + 22)]
    alone += synth.play(some, 1.0, 0.5)
  np.testing.assert_allclose(both, alone, atol=1e-4 * np.abs(both).max())


def test_the_level_is_a_mean_power_under_a_peak():
  settings = RenderSettings('', '', '', sample_rate=8000, loudness=-20, peak=-1)
  tone = np.sin(np.arange(9600) * 0.3)[None]
  assert level(tone, settings) == pytest.approx(0.1 * np.sqrt(2), rel=1e-3)
  with_rest = np.concatenate([tone, np.zeros((1, 80000))], axis=1)
  assert level(with_rest, settings) == pytest.approx(0.1 * np.sqrt(2), rel=0.05)
  click = 1e-6 * tone
  click[0, 100] = 5
  assert level(click, settings) == pytest.approx(10 ** (-1 / 20) / 5)
  against = np.concatenate([5 * tone, -5 * tone + 0.1 * tone])  # stems that cancel in the mix
  assert level(against, settings) * np.abs(against).max() == pytest.approx(10 ** (-1 / 20), rel=1e-3)
  assert level(np.zeros((2, 8000)), settings) == 1


BAD = {
  'no such folder': (['absent'], 'absent: no such folder'),
  'no MIDI files': (['empty'], 'no MIDI files'),
  'no soundfont': (['midi', '--soundfont', 'absent.sf2'], 'apt-get install fluid-soundfont-gm'),
  'a folder as soundfont': (['midi', '--soundfont', 'empty'], 'directory'),
  'another file as soundfont': (['midi', '--soundfont', 'fake.sf2'], 'not a soundfont'),
  'a soundfont that is cut off': (['midi', '--soundfont', 'cut.sf2'], 'FluidSynth cannot load it'),
  'a file in the way': (['midi', '--out', 'fake.sf2'], 'cannot be written'),
  'only unreadable files': (['broken'], 'none of the 1 MIDI files could be rendered'),
  'shares that are no whole': (['midi', '--split', '0.5,0.1,0.1'], 'add up to 1'),
  'a pattern that matches nothing': (['midi', '--test', 'sonata*'], '--test sonata*'),
  'a rate out of reach': (['midi', '--sample-rate', '100'], '8000 to 48000'),
  'less than one process': (['midi', '--jobs', '-1'], '--jobs -1'),
  'a negative tail': (['midi', '--tail', '-1'], '--tail -1'),
  'too loud': (['midi', '--loudness', '3'], '--loudness 3'),
  'no time': (['midi', '--max-minutes', '0'], '--max-minutes 0'),
}


@pytest.mark.parametrize('case', BAD)
def test_what_cannot_be_rendered_is_one_clear_line(case, tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  songs.folder(tmp_path / 'midi', 1)
  for name in ('empty', 'broken'):
    (tmp_path / name).mkdir()
  (tmp_path / 'broken' / 'a.mid').write_bytes(b'nonsense')
  (tmp_path / 'fake.sf2').write_bytes(b'RIFF1234WAVEfmt ')
  (tmp_path / 'cut.sf2').write_bytes(b'RIFF\xff\xff\x00\x00sfbkLIST\xff\x00\x00\x00INFO')
  words, message = BAD[case]
  defaults = [] if '--soundfont' in words else ['--soundfont', str(reference.SOUNDFONT)]
  defaults += [] if '--out' in words else ['--out', 'out']
  assert cli.main(['render', *words, *defaults, '--jobs', '1'] if '--jobs' not in words else ['render', *words, *defaults]) == 2
  printed = capsys.readouterr()
  assert message in printed.err
  assert printed.err.count('\n') == 1
  assert printed.out == ''
  assert not (tmp_path / 'out').exists()


def test_a_missing_fluidsynth_says_how_to_get_it(midi, tmp_path, monkeypatch, capsys):
  monkeypatch.setitem(sys.modules, 'fluidsynth', None)
  assert render(midi, tmp_path / 'out') == 2
  assert "pip install 'mt3_synth[render]'" in capsys.readouterr().err
  monkeypatch.undo()

  def no_library(name):
    raise ImportError("Couldn't find the FluidSynth library.")

  monkeypatch.setattr(
    importlib,
    'import_module',
    lambda name, *args, real=importlib.import_module: no_library(name) if name == 'fluidsynth' else real(name, *args),
  )
  assert render(midi, tmp_path / 'out') == 2
  error = capsys.readouterr().err
  assert 'apt-get install fluidsynth' in error
  assert 'brew install fluid-synth' in error
