"""Programs that write down the notes of recordings: commands, each in its own environment, that are given many files at a time."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mt3_synth.errors import InputError
from mt3_synth.notes import Notes, read_midi
from mt3_synth.notes.midi import NoNotesError
from mt3_synth.notes.programs import Granularity

BASIC_PITCH = 'basic_pitch'
_OVERRIDES = 'overrides.txt'
# Its wheel carries its network for ONNX Runtime, but asks for a TensorFlow that new Pythons do not have: it is left out.
_BASIC_PITCH_COMMAND = (
  f"uvx -p 3.11 --overrides {{work}}/{_OVERRIDES} --with onnxruntime --with 'setuptools<81' basic-pitch {{outputs}} {{inputs}}"
)
_WITHOUT_TENSORFLOW = "tensorflow ; sys_platform == 'never'\n"


@dataclass(frozen=True)
class Transcriber:
  """A command that turns recordings into MIDI files.

  Attributes:
    name: under which its scores stand.
    command: a line of a shell without a shell: {inputs} stands for the WAV files and {outputs} for the folder that gets a MIDI file for
      each, whose name begins like the WAV's; or {input} and {output} for one of each.
    granularities: how finely it tells instruments apart.
    drums: whether it hears them.
  """

  name: str
  command: str
  granularities: tuple[Granularity, ...] = ('flat', 'midi_class', 'full')
  drums: bool = True


def choose_transcriber(spec: str) -> Transcriber:
  """A transcriber by what a user writes: `basic_pitch`, or `NAME=COMMAND`.

  Raises:
    InputError: there is none of that name, its command says not where files go, or its program is not here.
  """
  name, _, command = spec.partition('=')
  if spec == BASIC_PITCH:
    found = Transcriber(BASIC_PITCH, _BASIC_PITCH_COMMAND, ('flat',), drums=False)
  elif not command:
    raise InputError(f'no transcriber {spec!r}; there are {BASIC_PITCH} and NAME=COMMAND, a command with {{inputs}} and {{outputs}}')
  else:
    found = Transcriber(name, command)
  words = _words(found)
  if not any(f'{{input{s}}}' in found.command and f'{{output{s}}}' in found.command for s in ('s', '')):
    raise InputError(f'transcriber {name}: {command!r} names neither {{inputs}} and {{outputs}} nor {{input}} and {{output}}')
  if not shutil.which(words[0]):
    hint = 'pip install uv, and give the command again' if spec == BASIC_PITCH else 'install it, or give its path'
    raise InputError(f'transcriber {name}: there is no program {words[0]!r}; {hint}')
  return found


def transcribe(transcriber: Transcriber, recordings: Sequence[Path]) -> list[Notes | str]:
  """The notes of each recording; a string that says why where there are none.

  Args:
    transcriber: is started once for all, if it takes {inputs}.
    recordings: WAV files whose names without suffix do not begin like one another.
  """
  with tempfile.TemporaryDirectory(prefix='mt3_synth-transcription-') as work:
    (Path(work) / _OVERRIDES).write_text(_WITHOUT_TENSORFLOW)
    outputs = Path(work) / 'outputs'
    outputs.mkdir()
    groups = [[each] for each in recordings] if '{input}' in transcriber.command else [recordings]
    found: list[Notes | str] = []
    for group in groups:
      said = _run(transcriber, group, outputs, work)
      found += [_read(transcriber, outputs, recording, said) for recording in group]
    return found


def _words(transcriber: Transcriber) -> list[str]:
  try:
    words = shlex.split(transcriber.command)
  except ValueError as e:
    raise InputError(f'transcriber {transcriber.name}: {transcriber.command!r} is no command ({e})') from None
  return words or ['']


def _run(transcriber: Transcriber, recordings: Sequence[Path], outputs: Path, work: str) -> str:
  """Runs the command; gives the last that it said, for where it left no file."""
  names = {'outputs': str(outputs), 'work': work, 'input': str(recordings[0]), 'output': str(outputs / f'{recordings[0].stem}.mid')}
  words: list[str] = []
  for word in _words(transcriber):
    if word == '{inputs}':
      words += map(str, recordings)
    else:
      for name, value in names.items():
        word = word.replace(f'{{{name}}}', value)
      words.append(word)
  try:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors='replace', check=False)
  except OSError as e:
    return f'{words[0]} can not be started ({e.strerror})'
  said = (done.stderr.strip() or done.stdout.strip()).splitlines()
  return f'it ended with status {done.returncode}{": " + said[-1].strip()[:200] if said else ""}'


def _read(transcriber: Transcriber, outputs: Path, recording: Path, reason: str) -> Notes | str:
  files = sorted(path for path in outputs.rglob(f'{recording.stem}*') if path.suffix.lower() in ('.mid', '.midi'))
  if not files:
    return f'transcriber {transcriber.name}: wrote no MIDI file; {reason}'
  try:
    return read_midi(files[0])
  except NoNotesError:  # it heard nothing
    return Notes.empty()
  except InputError as e:
    return f'transcriber {transcriber.name}: {str(e).replace(str(outputs), "its output")}'
