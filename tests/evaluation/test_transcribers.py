"""Commands that transcribe: started once for many files, and what is said where they leave none."""

import shlex
import sys

import numpy as np
import pytest

from mt3_synth.audio.files import write_audio
from mt3_synth.errors import InputError
from mt3_synth.evaluation.transcribers import choose_transcriber, transcribe
from mt3_synth.notes import Notes

# Writes a note a second of each file it is given, and a line each time it is started.
SCRIPT = """
import sys, pathlib, soundfile
from mt3_synth.notes import Notes, write_midi
outputs, *files = sys.argv[1:]
with open({log!r}, 'a') as log: print('started', file=log)
for file in files:
  seconds = int(soundfile.info(file).duration)
  name = pathlib.Path(file).stem
  where = pathlib.Path(outputs)
  where = where if where.suffix else where / (name + '_heard.mid')
  if seconds == 0: where.write_bytes(b'no MIDI')
  elif seconds < 9: write_midi(Notes.from_rows([(t, t + 0.5, 60) for t in range(seconds)]), where)
print('out of notes', file=sys.stderr)
sys.exit(3)
"""


@pytest.fixture
def command(tmp_path):
  (tmp_path / 'it is.py').write_text(SCRIPT.format(log=str(tmp_path / 'log')))
  return f'{shlex.quote(sys.executable)} {shlex.quote(str(tmp_path / "it is.py"))}'


@pytest.fixture
def recordings(tmp_path):
  files = [tmp_path / f'{number:03d}.wav' for number in range(4)]
  for file, seconds in zip(files, (2.5, 1.5, 0.5, 9.5), strict=True):
    write_audio(file, np.zeros(int(seconds * 16000)))
  return files


@pytest.mark.parametrize(('words', 'starts'), [('{outputs} {inputs}', 1), ('{output} {input}', 4)])
def test_a_command_is_given_files_and_its_notes_are_read(command, recordings, tmp_path, words, starts):
  transcriber = choose_transcriber(f'mine={command} {words}')
  assert transcriber.name == 'mine'
  found = transcribe(transcriber, recordings)
  assert [len(notes) if isinstance(notes, Notes) else 'none' for notes in found] == [2, 1, 'none', 'none']
  assert 'transcriber mine: its output' in str(found[2])
  assert 'expected a MIDI file' in str(found[2]) or 'MIDI' in str(found[2])
  assert found[3] == 'transcriber mine: wrote no MIDI file; it ended with status 3: out of notes'
  assert len((tmp_path / 'log').read_text().splitlines()) == starts


def test_one_that_hears_nothing_wrote_an_empty_file(tmp_path, recordings):
  script = 'import sys,mido;m=mido.MidiFile();m.add_track();m.save(sys.argv[1])'
  transcriber = choose_transcriber(f'deaf={shlex.quote(sys.executable)} -c {shlex.quote(script)} {{output}} {{input}}')
  assert transcribe(transcriber, recordings[:1]) == [Notes.empty()]


def test_basic_pitch_is_ready_where_uv_is(tmp_path, monkeypatch):
  uvx = tmp_path / 'uvx'
  uvx.write_text('#!/bin/sh\n')
  uvx.chmod(0o755)
  monkeypatch.setenv('PATH', str(tmp_path))
  found = choose_transcriber('basic_pitch')
  assert (found.name, found.granularities, found.drums) == ('basic_pitch', ('flat',), False)
  uvx.unlink()
  with pytest.raises(InputError, match="transcriber basic_pitch: there is no program 'uvx'; pip install uv"):
    choose_transcriber('basic_pitch')


@pytest.mark.parametrize(
  ('spec', 'says'),
  [
    ('mt3', "no transcriber 'mt3'; there are basic_pitch and NAME=COMMAND"),
    ('mine=python x.py', 'names neither {inputs} and {outputs} nor {input} and {output}'),
    ('mine=no-such-program {inputs} {outputs}', "there is no program 'no-such-program'; install it"),
    ("mine='python {inputs} {outputs}", 'is no command .No closing quotation'),
  ],
)
def test_what_is_no_transcriber_is_told(spec, says):
  with pytest.raises(InputError, match=says):
    choose_transcriber(spec)


@pytest.mark.slow
def test_basic_pitch_hears_a_melody(tmp_path):
  """Needs uv and, the first time, a package registry."""
  try:
    transcriber = choose_transcriber('basic_pitch')
  except InputError as e:
    pytest.skip(str(e))
  tones = [np.sin(2 * np.pi * hertz * np.arange(8000) / 16000) * np.exp(-np.arange(8000) / 4000) for hertz in (440, 523.25, 659.26)]
  write_audio(tmp_path / 'tones.wav', 0.5 * np.concatenate(tones))
  (notes,) = transcribe(transcriber, [tmp_path / 'tones.wav'])
  assert isinstance(notes, Notes), notes
  assert {69, 72, 76} <= set(notes.pitch.tolist())
