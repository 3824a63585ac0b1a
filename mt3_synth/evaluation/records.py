"""The folder of one evaluation: one model on one split of a corpus, song by song.

  evaluation.json        what was evaluated, and how (`Evaluation`)
  songs/NAME.json        a song's result (`SongResult`); written last, so a song that has one is whole
  songs/NAME.npz         embeddings, float32 [windows, E], by `SYSTEM/EMBEDDER`
  mels/NAME.npz          log-mel spectrograms, float16 [T, D], by system
  audio/NAME.SYSTEM.flac and notes/NAME.mid, and of each transcriber transcriptions/NAME.SYSTEM.TRANSCRIBER.mid
  pooled.json            measures of all songs together

NAME is a song's id with what file systems do not take written as %XX.  Every file appears when it is complete.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, get_args
from urllib.parse import quote

import numpy as np

from mt3_synth.config import from_json
from mt3_synth.errors import InputError

METRIC_VERSION = 1  # of the definitions: values of different versions do not compare

System = Literal['prediction', 'ceiling', 'target']  # the model; the recording inverted from its spectrogram; the recording
SYSTEMS: tuple[System, ...] = get_args(System)
Context = Literal['predicted', 'ground_truth', 'masked']  # what a segment hears before it: the model's own, the recording, nothing

EVALUATION = 'evaluation.json'
POOLED = 'pooled.json'
_SONGS = 'songs'
_LONGEST_NAME = 180  # bytes; file systems take 255 with suffixes


@dataclass(frozen=True)
class Evaluation:
  """What was evaluated, and how.

  Attributes:
    name: for tables.
    checkpoint, corpus, split: as they were given.
    context: what segments heard.
    sampler: the fields of `SamplerConfig` that it was played with.
    inverter: its name or path.
    seed: of all draws.
    config: the model's `ModelConfig`, as JSON has it.
    embedders: the hash of each, by name.
    transcribers: the command of each, by name.
    songs: ids, in the corpus's order.
    metric_version, code_version, device, created: of the machine and the code.
    settings: everything else that was asked for.
  """

  name: str
  checkpoint: str
  corpus: str
  split: str
  context: Context
  sampler: dict
  inverter: str
  seed: int
  config: dict
  embedders: dict
  transcribers: dict
  songs: tuple[str, ...]
  metric_version: int
  code_version: str
  device: str
  created: str
  settings: dict = field(default_factory=dict)


@dataclass(frozen=True)
class SongResult:
  """What came of one song.

  Attributes:
    song: its id.
    status: whether it could be measured.
    error: why not; empty where it could.
    seconds: of the recording.
    notes: how many.
    systems: {system: {'metrics': {key: value}, 'per_minute': [{'minute', 'seconds', 'metrics'}]}}; a value that could not be had is None.
    warnings: what a reader of the values should know.
    time: seconds that each part took: 'spectrogram', 'inverter', 'metrics'.
  """

  song: str
  status: Literal['ok', 'failed']
  error: str = ''
  seconds: float = 0.0
  notes: int = 0
  systems: dict = field(default_factory=dict)
  warnings: tuple[str, ...] = ()
  time: dict = field(default_factory=dict)

  def metrics(self, system: System) -> dict[str, float]:
    """Values by key; NaN where there is none."""
    values = self.systems.get(system, {}).get('metrics', {})
    return {key: float('nan') if value is None else value for key, value in values.items()}


def file_name(song: str) -> str:
  """A song's id as part of a file's name; different ids have different ones."""
  name = quote(song, safe=" !#$&'()+,;=@[]^`{}~")
  if name.startswith('.'):
    name = f'%2E{name[1:]}'
  if len(name) > _LONGEST_NAME:
    name = f'{name[: _LONGEST_NAME - 20]}-{hashlib.sha256(song.encode()).hexdigest()[:16]}'
  return name


def audio_file(folder: Path, song: str, system: System) -> Path:
  return folder / 'audio' / f'{file_name(song)}.{system}.flac'


def notes_file(folder: Path, song: str) -> Path:
  return folder / 'notes' / f'{file_name(song)}.mid'


def transcription_file(folder: Path, song: str, system: System, transcriber: str) -> Path:
  return folder / 'transcriptions' / f'{file_name(song)}.{system}.{file_name(transcriber)}.mid'


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
  """Writes evaluation.json, makes the folders beside it, and removes what a killed run had half written.

  Raises:
    InputError: the folder can't be written to.
  """
  try:
    for each in (_SONGS, 'mels', 'audio', 'notes', 'transcriptions'):
      (folder / each).mkdir(parents=True, exist_ok=True)
    for part in folder.rglob('.*.part'):
      part.unlink()
  except OSError as e:
    raise InputError(f'{folder}: cannot be written ({e.strerror or e}); choose another folder') from None
  _write_json(folder / EVALUATION, asdict(evaluation))


def read_evaluation(folder: str | Path) -> Evaluation:
  """Raises InputError: the folder is missing or no evaluation."""
  file = Path(folder) / EVALUATION
  if not file.is_file():
    raise InputError(f'{folder}: has no {EVALUATION}; expected a folder that `mt3-synth evaluate` wrote')
  return from_json(Evaluation, _read_text(file), str(file))


def write_song(folder: Path, result: SongResult) -> None:
  _write_json(_song_file(folder, result.song), asdict(result))


def read_song(folder: str | Path, song: str) -> SongResult | None:
  """A song's result; None where it has none yet.

  Raises:
    InputError: the file is damaged.
  """
  file = _song_file(Path(folder), song)
  return from_json(SongResult, _read_text(file), str(file)) if file.is_file() else None


def read_songs(folder: str | Path, evaluation: Evaluation | None = None) -> list[SongResult]:
  """The results that are there, in the corpus's order; songs that failed among them.

  Raises:
    InputError: the folder is no evaluation, or a file is damaged.
  """
  evaluation = evaluation or read_evaluation(folder)
  return [result for song in evaluation.songs if (result := read_song(folder, song))]


def is_evaluation(folder: str | Path) -> bool:
  """Whether an evaluation was begun in a folder."""
  return (Path(folder) / EVALUATION).is_file()


def is_whole(folder: str | Path) -> bool:
  """Whether every song has a result, be it that it failed."""
  return is_evaluation(folder) and count_songs(folder) >= len(read_evaluation(folder).songs)


def count_songs(folder: str | Path) -> int:
  """How many songs have a result."""
  return sum(1 for _ in (Path(folder) / _SONGS).glob('*.json'))


def write_embeddings(folder: Path, song: str, embeddings: Mapping[str, np.ndarray]) -> None:
  """Writes embeddings [windows, E] by `SYSTEM/EMBEDDER`."""
  _write_arrays(folder / _SONGS / f'{file_name(song)}.npz', embeddings, np.float32)


def read_embeddings(folder: str | Path, song: str) -> dict[str, np.ndarray]:
  """Embeddings float32 [windows, E] by `SYSTEM/EMBEDDER`; raises InputError where they are missing or damaged."""
  return _read_arrays(Path(folder) / _SONGS / f'{file_name(song)}.npz')


def write_mels(folder: Path, song: str, mels: Mapping[System, np.ndarray]) -> None:
  """Writes log-mels [T, D] by system."""
  _write_arrays(folder / 'mels' / f'{file_name(song)}.npz', mels, np.float16)


def read_mels(folder: str | Path, song: str) -> dict[str, np.ndarray]:
  """Log-mels float16 [T, D] by system; raises InputError where they are missing or damaged."""
  return _read_arrays(Path(folder) / 'mels' / f'{file_name(song)}.npz')


def write_pooled(folder: Path, pooled: Mapping[str, Any]) -> None:
  _write_json(folder / POOLED, dict(pooled))


def read_pooled(folder: str | Path) -> dict[str, Any]:
  """What `evaluate` found for all songs together; raises InputError where it is not there."""
  file = Path(folder) / POOLED
  if not file.is_file():
    raise InputError(f'{folder}: has no {POOLED}; its evaluation is not finished: the same command of `mt3-synth evaluate` goes on')
  try:
    return json.loads(_read_text(file))
  except ValueError as e:
    raise InputError(f'{file}: not JSON ({e}); remove it and give the command of `mt3-synth evaluate` again') from None


def _song_file(folder: Path, song: str) -> Path:
  return folder / _SONGS / f'{file_name(song)}.json'


def _write_json(file: Path, value: Any) -> None:
  text = json.dumps(_without_nan(value), indent=1) + '\n'
  write_whole(file, lambda stream: stream.write(text.encode()))


def _without_nan(value: Any) -> Any:
  """JSON has no NaN and no infinity: null."""
  if isinstance(value, dict):
    return {str(key): _without_nan(each) for key, each in value.items()}
  if isinstance(value, (list, tuple)):
    return [_without_nan(each) for each in value]
  if isinstance(value, (float, np.floating)):
    return float(value) if np.isfinite(value) else None
  return value.item() if isinstance(value, np.generic) else value


def _write_arrays(file: Path, arrays: Mapping[Any, np.ndarray], dtype: Any) -> None:
  # Not compressed: embeddings hardly shrink, and a report reads them often.
  columns: Any = {name: np.asarray(x, dtype) for name, x in arrays.items()}
  write_whole(file, lambda stream: np.savez(stream, **columns))


def _read_arrays(file: Path) -> dict[str, np.ndarray]:
  try:
    with np.load(file, allow_pickle=False) as arrays:
      return {name: arrays[name] for name in arrays.files}
  except Exception as e:  # numpy's, zipfile's and zlib's
    found = 'no such file' if isinstance(e, FileNotFoundError) else f'damaged ({" ".join(str(e).split())[:150]})'
    song = f'{_SONGS}/{file.stem}.json'
    raise InputError(f'{file}: {found}; remove {song} in that evaluation, and the same command makes both again') from None


def _read_text(file: Path) -> str:
  try:
    return file.read_text(encoding='utf-8')
  except (OSError, UnicodeDecodeError) as e:
    raise InputError(f'{file}: unreadable ({e}); remove it and evaluate again') from None


def write_whole(file: Path, write: Callable[[IO[bytes]], Any]) -> None:
  """Writes a file that appears when it is complete.

  Raises:
    InputError: it can't be written.
  """
  part = file.with_name(f'.{hashlib.sha256(file.name.encode()).hexdigest()[:16]}.{os.getpid()}.part')
  try:
    with part.open('wb') as stream:
      write(stream)
    os.replace(part, file)
  except OSError as e:
    raise InputError(f'{file}: cannot be written ({e.strerror or e}); make room or choose another folder') from None
  finally:
    with suppress(OSError):
      part.unlink(missing_ok=True)
