"""Pictures and sound of a report's songs, copied beside its page."""

import contextlib
import json
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mt3_synth.audio.files import read_audio, write_audio
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.evaluation.records import audio_file, notes_file, read_mels
from mt3_synth.notes import read_midi
from mt3_synth.pages.assemble import write_whole
from mt3_synth.plots import draw_mel_strip, draw_roll_strip
from mt3_synth.reporting.comparison import Comparison, Row
from mt3_synth.reporting.measures import is_better, measure

FOLDER, INDEX = 'media', 'media.json'


@dataclass(frozen=True)
class Shown:
  """What there is to see and hear of a song; paths are relative to the report's folder.

  Attributes:
    seconds: from the song's start, of all of it.
    roll: the piano roll; '' where there are no notes.
    instruments: the colour of each in the roll.
    mels, audio: by the row's name.
  """

  seconds: float
  roll: str
  instruments: dict[str, str]
  mels: dict[str, str]
  audio: dict[str, str]


def write_media(out: Path, comparison: Comparison, count: int, longest: float) -> dict[str, Shown]:
  """Pictures and sound of up to `count` songs, the first `longest` seconds of each; what an earlier report left there is removed.

  Of more songs the worst, the best and some evenly between are taken.
  """
  shutil.rmtree(out / FOLDER, ignore_errors=True)
  chosen = _chosen(comparison, count)
  missing: list[str] = []
  shown = {
    song: _show(out, comparison, song, longest, missing)
    for song in tqdm(chosen, desc='pictures and sound', unit='song', disable=None if chosen else True)
  }
  if missing:
    more = f', and without {len(missing) - 1} more such files' if len(missing) > 1 else ''
    warnings.warn(f'{missing[0]}; the report goes without it{more}', InputWarning, stacklevel=2)
  if shown:
    write_whole(out / FOLDER / INDEX, json.dumps({song: vars(each) for song, each in shown.items()}, indent=1) + '\n')
  return shown


def read_media(report: Path) -> dict[str, Shown]:
  """What `write_media` left in a report's folder.

  Raises:
    InputError: it is no report, or one without songs.
  """
  file = report / FOLDER / INDEX
  try:
    return {song: Shown(**each) for song, each in json.loads(file.read_text(encoding='utf-8')).items()}
  except OSError as e:
    raise InputError(f'{file}: {e.strerror}; expected the folder of a report with songs (mt3-synth report --songs)') from None
  except (ValueError, TypeError):
    raise InputError(f'{file}: damaged; make the report again') from None


def _chosen(comparison: Comparison, count: int) -> list[str]:
  order = _worst_first(comparison)
  places = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
  return [order[place] for place in places]


def _worst_first(comparison: Comparison) -> list[str]:
  """Songs by the mean over models of the first measure that has a better end."""
  values = [comparison.values(row) for row in comparison.models]
  for key in values[0]:
    higher = is_better(measure(key), 1)
    if higher is not None:
      mean = np.mean([of_row[key].mean(axis=0) for of_row in values if key in of_row], axis=0)
      badness = np.where(np.isfinite(mean), -mean if higher else mean, -np.inf)
      return [comparison.songs[k] for k in np.argsort(-badness, kind='stable')]
  return list(comparison.songs)


def _show(out: Path, comparison: Comparison, song: str, longest: float, missing: list[str]) -> Shown:
  folder = out / FOLDER / f'{comparison.songs.index(song):04d}'
  try:
    folder.mkdir(parents=True)
  except OSError as e:
    raise InputError(f'{folder}: cannot be made ({e.strerror}); choose another folder') from None
  seconds = min(comparison.first.results[song].seconds, longest)
  roll, instruments = _roll(folder / 'notes.png', notes_file(comparison.first.folder, song), seconds, missing)
  names = [(k, row) for k, row in enumerate(comparison.rows)]
  mels = {row.name: path for k, row in names if (path := _mel(folder / f'mel-{k}.png', row, song, seconds, missing))}
  audio = {row.name: path for k, row in names if (path := _audio(folder / f'sound-{k}.flac', row, song, seconds, missing))}
  relative = lambda paths: {name: path.relative_to(out).as_posix() for name, path in paths.items()}
  return Shown(seconds, roll.relative_to(out).as_posix() if roll else '', instruments, relative(mels), relative(audio))


def _roll(path: Path, midi: Path, seconds: float, missing: list[str]) -> tuple[Path | None, dict[str, str]]:
  with _told(missing):
    notes = read_midi(midi)
    return path, draw_roll_strip(notes.crop(0, seconds), seconds, path)
  return None, {}


def _mel(path: Path, row: Row, song: str, seconds: float, missing: list[str]) -> Path | None:
  with _told(missing):
    config = row.runs[0].config.mel
    mel = read_mels(row.runs[0].folder, song)[row.system]
    wanted = max(1, round(seconds * config.frames_per_second))
    padded = np.full((wanted, mel.shape[1]), np.log(config.floor), np.float32)  # a sound that ends sooner has a dark end
    padded[: len(mel)] = mel[:wanted]
    draw_mel_strip(padded, path, config=config)
    return path
  return None


def _audio(path: Path, row: Row, song: str, seconds: float, missing: list[str]) -> Path | None:
  source = audio_file(row.runs[0].folder, song, row.system)
  with _told(missing):
    sound = read_audio(source)
    write_audio(path, sound[: round(seconds * row.runs[0].config.mel.sample_rate)])
    return path
  return None


@contextlib.contextmanager
def _told(missing: list[str]):
  """What can't be read is noted, and the page goes without it."""
  try:
    yield
  except InputError as e:
    missing.append(str(e))
