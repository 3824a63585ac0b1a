"""`mt3-synth synthesize`, with a model of the smallest sizes that was never trained."""

import struct

import numpy as np
import pytest
import soundfile

from mt3_synth import cli, synthesize
from mt3_synth.inverter.griffin_lim import GriffinLim
from mt3_synth.models.pretrained import save_pretrained
from mt3_synth.notes import Notes, write_midi
from mt3_synth.pipeline import SpectrogramDiffusionPipeline
from tests.data.tiny import HOP, melody, tiny_model, tiny_params

ON, OFF, END = b'\x90\x3c\x64', b'\x80\x3c\x00', b'\x00\xff\x2f\x00'
LATER = b'\x60'  # a delta time of 96 ticks: 0.1 s


def midi(track: bytes, end: bytes = END) -> bytes:
  """A file of one track, 480 ticks a quarter note at 120 a minute."""
  track += end
  return b'MThd' + struct.pack('>IHHH', 6, 0, 1, 480) + b'MTrk' + struct.pack('>I', len(track)) + track


NOTE = b'\x00' + ON + LATER + OFF


@pytest.fixture(scope='module')
def model(tmp_path_factory):
  """The folder of a model that takes tokens, 64 a segment."""
  folder = tmp_path_factory.mktemp('models') / 'tiny'
  save_pretrained(folder, tiny_model('tokens'), tiny_params('tokens'))
  return folder


@pytest.fixture
def play(model, tmp_path, capsys, monkeypatch):
  """Runs the verb on bytes or a path and returns (status, stdout, lines of stderr but for the progress bar's)."""
  monkeypatch.chdir(tmp_path)

  def run(piece, *options, output='out.wav', checkpoint=model):
    if isinstance(piece, bytes):
      (tmp_path / 'in.mid').write_bytes(piece)
      piece = 'in.mid'
    status = cli.main(['synthesize', str(piece), *options, '-o', output, '--checkpoint', str(checkpoint)])
    printed = capsys.readouterr()
    shown = [line.strip('\x1b[A ') for line in printed.err.replace('\r', '\n').splitlines()]
    return status, printed.out, [line for line in shown if line and 'segment' not in line.partition('/')[2]]

  return run


def names(folder):
  return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize('output', ['out.wav', 'out.flac'])
def test_a_piece_becomes_a_file(play, tmp_path, output):
  write_midi(melody(0.8), tmp_path / 'in.mid')
  status, out, err = play('in.mid', output=output)
  assert (status, err) == (0, [])
  assert out == f'{output}: 1.7 s, 3 notes\n'
  info = soundfile.info(tmp_path / output)
  assert (info.samplerate, info.channels, info.frames) == (16000, 1, 86 * 320)
  assert names(tmp_path) == ['in.mid', output]


def test_the_seed_gives_the_same_file_again(play, tmp_path):
  def sound(*options):
    play(midi(NOTE), *options)
    return (tmp_path / 'out.wav').read_bytes()

  assert sound() == sound('--seed', '0')
  assert sound() != sound('--seed', '1')


def test_the_file_holds_what_the_pipeline_gives(play, model, tmp_path):
  play(midi(NOTE), '--seed', '5')
  audio, _ = soundfile.read(tmp_path / 'out.wav')
  expected = SpectrogramDiffusionPipeline.from_pretrained(model)(tmp_path / 'in.mid', seed=5).audios[0]
  np.testing.assert_allclose(audio, expected, atol=1e-3)


def test_a_plot_is_drawn(play, tmp_path):
  status, out, _ = play(midi(NOTE), '--plot', 'roll.png')
  assert status == 0
  assert out.splitlines()[1] == 'roll.png'
  assert (tmp_path / 'roll.png').read_bytes()[:8] == b'\x89PNG\r\n\x1a\n'
  assert names(tmp_path) == ['in.mid', 'out.wav', 'roll.png']


def test_settings_reach_the_sampler(play, monkeypatch):
  asked = []
  sampling = SpectrogramDiffusionPipeline.sampling
  monkeypatch.setattr(SpectrogramDiffusionPipeline, 'sampling', lambda self, **how: asked.append(how) or sampling(self))
  play(midi(NOTE), '--steps', '7', '--guidance', '3', '--sampler', 'dpmpp_2m', '--spacing', 'logsnr', '--guidance_interval', '-4', '2.5')
  assert asked == [
    {'steps': 7, 'guidance': 3.0, 'name': 'dpmpp_2m', 'spacing': 'logsnr', 'guidance_interval': [-4.0, 2.5], 'dtype': None},
  ]


def test_several_files_become_a_folder_of_theirs(play, tmp_path):
  for name, seconds in (('a', 0.8), ('b', 1.6), ('c', 0.4)):
    write_midi(melody(seconds), tmp_path / f'{name}.mid')
  status, out, err = play('a.mid', 'b.mid', 'c.mid', '--batch_size', '2', output='new/sounds')
  assert (status, err) == (0, [])
  assert sorted(out.splitlines()) == [
    f'new/sounds/{name}' for name in ('a.wav: 1.7 s, 3 notes', 'b.wav: 2.5 s, 7 notes', 'c.wav: 1.3 s, 1 notes')
  ]
  assert names(tmp_path / 'new' / 'sounds') == ['a.wav', 'b.wav', 'c.wav']
  frames = [soundfile.info(tmp_path / 'new' / 'sounds' / f'{name}.wav').frames for name in 'abc']
  assert frames == [86 * HOP, 126 * HOP, 66 * HOP]  # what they sound like: tests/test_pipeline.py


@pytest.mark.parametrize(
  ('given', 'output', 'says'),
  [
    (['in.mid', 'other/in.mid'], 'sounds', 'in: 2 files of this name would become one, sounds/in.wav'),
    (['in.mid', 'b.mid'], 'in.mid', 'in.mid: is a file; for 2 files give the folder'),
    (['in.mid', 'b.mid'], 'in.mid/a', 'in.mid/a: '),
    (['in.mid', 'b.mid', '--plot', 'roll.png'], 'sounds', 'roll.png: a picture is of one file, 2 are given'),
    (['in.mid', 'nowhere.mid'], 'sounds', 'nowhere.mid: no such file'),
  ],
)
def test_several_files_that_cannot_be_written_are_told_at_once(play, tmp_path, given, output, says):
  (tmp_path / 'other').mkdir()
  for name in ('in.mid', 'b.mid', 'other/in.mid'):
    (tmp_path / name).write_bytes(midi(NOTE))
  assert_refused(play(*given, output=output), says, tmp_path, ['b.mid', 'in.mid', 'other'])


MENDED = {
  'plain': (NOTE, END, None),
  'bad key signature': (b'\x00\xff\x59\x02\x63\x07' + NOTE, END, None),
  'overlapping notes': (b'\x00' + ON + LATER + ON + LATER + OFF + LATER + OFF, END, None),
  'no length': (NOTE + b'\x00' + ON + b'\x00' + OFF, END, '1 notes have no length and are left out'),
  'velocity past 127': (b'\x00\x90\x3c\xc8' + LATER + OFF, END, 'data bytes over 127: velocities were lowered'),
  'pitch past 127': (NOTE + b'\x00\x90\xc8\x64' + LATER + b'\x80\xc8\x00', END, 'data bytes over 127'),
  'no note-off': (NOTE + LATER + ON + LATER + b'\xb0\x01\x00', END, '1 notes have no note-off'),
}


@pytest.mark.parametrize('name', MENDED)
def test_a_faulty_file_is_played_and_what_was_mended_is_said(play, tmp_path, name):
  track, end, says = MENDED[name]
  status, out, err = play(midi(track, end))
  assert status == 0
  assert 'out.wav: ' in out
  assert len(err) == (says is not None)
  assert all(line.startswith('mt3-synth: warning: in.mid: ') and says in line for line in err)
  assert names(tmp_path) == ['in.mid', 'out.wav']


def test_a_truncated_file_is_played_as_far_as_it_goes(play, tmp_path):
  status, _, err = play(midi(NOTE + LATER + ON + LATER + OFF)[:-9])
  assert status == 0
  assert len(err) == 1
  assert 'track 0 is cut off' in err[0]
  assert names(tmp_path) == ['in.mid', 'out.wav']


REFUSED = {
  'not MIDI': (b'RIFF1234WAVEfmt ', 'not a MIDI file'),
  'empty': (b'', 'empty, expected a MIDI file'),
  'no notes': (midi(b''), 'no notes in 1 tracks'),
  'a header alone': (midi(NOTE)[:14], 'no notes in 0 tracks'),
  'half a header': (midi(NOTE)[:9], 'too few for the header'),
}


def assert_refused(result, says, folder, left):
  status, out, err = result
  assert (status, out) == (2, '')
  assert len(err) == 1
  assert err[0].startswith('mt3-synth synthesize: error: ')
  assert says in err[0]
  assert names(folder) == sorted(left)


@pytest.mark.parametrize('name', REFUSED)
def test_a_file_that_cannot_be_played_is_named(play, tmp_path, name):
  piece, says = REFUSED[name]
  assert_refused(play(piece), says, tmp_path, ['in.mid'])


def test_a_path_that_is_no_file_is_named(play, tmp_path):
  assert_refused(play('nowhere.mid'), 'nowhere.mid: no such file', tmp_path, [])
  (tmp_path / 'folder').mkdir()
  assert_refused(play('folder'), 'folder: a directory', tmp_path, ['folder'])


@pytest.mark.parametrize(
  ('output', 'options', 'says'),
  [
    ('nowhere/out.wav', [], 'nowhere/out.wav: there is no folder nowhere'),
    ('folder', [], 'folder: is a folder'),
    ('folder.wav', [], 'folder.wav: is a folder'),
    ('in.mid/out.wav', [], 'there is no folder in.mid'),
    ('out.mp3', [], "cannot write '.mp3'"),
    ('out', [], 'name it .wav or .flac'),
    ('out.wav', ['--plot', 'roll.pdf'], 'roll.pdf: a picture is written as .png'),
    ('out.wav', ['--plot', 'nowhere/roll.png'], 'there is no folder nowhere'),
    ('out.wav', ['--plot', 'folder'], 'folder: is a folder'),
    ('out.wav', ['--steps', '0'], '0 sampling steps'),
    ('out.wav', ['--guidance', 'nan'], 'guidance is nan'),
    ('out.wav', ['--seed', '-1'], 'seed is -1'),
    ('out.wav', ['--guidance_interval', '3', '1'], 'expected two log-SNR, the lower first'),
    ('out.wav', ['--device', 'abacus'], "no device 'abacus': JAX sees"),
    ('out.wav', ['--batch_size', '0'], 'batch_size is 0'),
  ],
)
def test_what_cannot_be_written_or_done_is_told_at_once(play, tmp_path, monkeypatch, output, options, says):
  monkeypatch.setattr('mt3_synth.pipeline._draw', lambda *_, **__: pytest.fail('sampled before it was told'))
  (tmp_path / 'folder').mkdir()
  (tmp_path / 'folder.wav').mkdir()
  assert_refused(play(midi(NOTE), *options, output=output), says, tmp_path, ['folder', 'folder.wav', 'in.mid'])


def test_a_checkpoint_that_is_missing_or_half_written_is_named(play, model, tmp_path):
  assert_refused(play(midi(NOTE), checkpoint='nowhere'), 'nowhere: no such folder', tmp_path, ['in.mid'])
  half = tmp_path / 'half'
  half.mkdir()
  assert_refused(play(midi(NOTE), checkpoint=half), 'half: has no config.json', tmp_path, ['half', 'in.mid'])
  (half / 'config.json').write_bytes((model / 'config.json').read_bytes())
  assert_refused(play(midi(NOTE), checkpoint=half), 'nor a finished checkpoint', tmp_path, ['half', 'in.mid'])
  (half / 'model.safetensors').write_bytes((model / 'model.safetensors').read_bytes()[:5000])
  assert_refused(play(midi(NOTE), checkpoint=half), 'cut short', tmp_path, ['half', 'in.mid'])


def test_a_segment_with_too_many_notes_loses_some_or_is_refused(play, tmp_path):
  crowd = Notes.from_rows([(0.1, 0.2, pitch, 50 + pitch % 50) for pitch in range(20, 100)])
  write_midi(crowd, tmp_path / 'crowd.mid')
  status, _, err = play('crowd.mid')
  assert status == 0
  assert len(err) == 1
  assert err[0].startswith('mt3-synth: warning: notes: the window at frame 0 has ')
  (tmp_path / 'out.wav').unlink()
  assert_refused(play('crowd.mid', '--strict'), 'room is for 64', tmp_path, ['crowd.mid'])


def test_an_interrupt_half_way_leaves_nothing_behind(play, tmp_path, monkeypatch):
  stream = GriffinLim.stream

  def interrupted(self, mels):
    for count, audio in enumerate(stream(self, mels)):
      assert '.part' in ''.join(names(tmp_path))
      yield audio
      if not count:
        raise KeyboardInterrupt

  monkeypatch.setattr(GriffinLim, 'stream', interrupted)
  status, out, err = play(midi(NOTE))
  assert (status, out) == (130, '')
  assert err == ['mt3-synth synthesize: interrupted']
  assert names(tmp_path) == ['in.mid']


def test_a_failure_half_way_keeps_the_file_that_was_there(play, tmp_path, monkeypatch):
  (tmp_path / 'out.wav').write_bytes(b'before')
  monkeypatch.setattr(synthesize, '_watched', lambda segments, progress: (1 / 0 for _ in segments))
  with pytest.raises(ZeroDivisionError):
    play(midi(NOTE))
  assert (tmp_path / 'out.wav').read_bytes() == b'before'
  assert names(tmp_path) == ['in.mid', 'out.wav']
