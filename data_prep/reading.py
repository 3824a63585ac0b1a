"""What the readers of corpora share: which folder is the corpus's, what counts as a fault of a song, and what is always checked."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from data_prep.corpus import Reason, Skipped, SongError, SongSource, existing_folder
from mt3_synth.audio.files import SAMPLE_RATE, AudioError, read_audio_int16, read_header
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes import Notes

Listing = list[SongSource | Skipped]


@dataclass(frozen=True)
class Origin:
  """Where songs are from, as every example says."""

  corpus: str
  licence: str


@contextmanager
def song_errors(reason: Reason) -> Iterator[None]:
  """An InputError raised within is this song's fault, not the job's: a SongError of that reason, or of the recording's own."""
  try:
    yield
  except SongError:
    raise
  except AudioError as e:
    raise SongError(cast(Reason, f'{e.reason} audio'), str(e)) from None
  except InputError as e:
    raise SongError(reason, str(e)) from None


def skipped(id: str, error: SongError) -> Skipped:
  return Skipped(id, error.reason, str(error))


def missing(id: str, reason: Reason, *files: Path) -> Skipped | None:
  """The fault of a song of which a file is not there; None where all are."""
  absent = [file for file in files if not file.is_file()]
  if not absent:
    return None
  return Skipped(id, reason, f'{absent[0]}: no such file; fetch the corpus again, or leave the song out')


def names_in(folder: Path, ending: str) -> list[str]:
  """Names, without their ending's suffix, of the files of a folder that end so; not of hidden ones."""
  return sorted(path.stem for path in folder.glob(f'*{ending}') if not path.name.startswith('.'))


def stated_seconds(path: Path) -> float:
  """Length by the file's header.  Raises SongError."""
  with song_errors('unreadable audio'):
    return read_header(path).seconds


def read_recording(path: Path) -> np.ndarray:
  """int16 [S], 16 kHz mono.  Raises SongError."""
  with song_errors('unreadable audio'):
    return read_audio_int16(path)


def make_song(id: str, notes: Notes, audio: np.ndarray, origin: Origin, *, trim: bool = False) -> Song:
  """A song, checked.

  Args:
    id: its name.
    notes: in seconds from the start of the audio; those that start after its end are left out.
    audio: int16 [S] at 16 kHz.
    origin: of the song.
    trim: whether overlapping notes of the same pitch are trimmed.

  Raises:
    SongError: nothing is to be heard, or there is no note.

  Warns:
    InputWarning: how many notes were left out.
  """
  seconds = len(audio) / SAMPLE_RATE
  if not audio.any():
    raise SongError('silent audio', f'{id}: all {len(audio)} samples ({seconds:.1f} s) are zero; is the recording the right one?')
  inside = notes.onset < seconds
  if not inside.all():
    late = f'{np.sum(~inside)} of {len(notes)} notes start after the end of the audio ({seconds:.1f} s)'
    warnings.warn(f'{id}: {late} and are left out', InputWarning, stacklevel=2)
    notes = notes.select(inside)
  if not len(notes):
    raise SongError('no notes', f'{id}: no notes in {seconds:.1f} s of audio; are they the right ones?')
  return Song(id, notes.trim_overlaps() if trim else notes.sorted(), audio, origin.corpus, origin.licence)


def check_rate(path: Path, rates: Iterable[int], seconds: float, source: str) -> None:
  """Holds the rate in a header against the corpus's.

  A wrong header plays the whole recording faster or slower.  A resampled copy is as good as the original, so another rate is a fault only
  where the length tells: it fits at a rate of the corpus, and at the header's the recording would be too short, or longer by half.  (A
  little longer tells nothing: recordings go on after their last note.)

  Args:
    path: the recording.
    rates: of the corpus, in Hz.
    seconds: how long it should be about, or when its last note ends.
    source: who says so.

  Raises:
    SongError: the header is wrong.

  Warns:
    InputWarning: another rate, and nothing tells whether it is right.
  """
  with song_errors('unreadable audio'):
    header = read_header(path)
  if header.sample_rate in rates or seconds <= 0:
    return
  right = next((rate for rate in rates if abs(header.frames / rate / seconds - 1) < 0.03), None)
  if right and not 0.94 < header.seconds / seconds < 1.5:
    raise SongError(
      'wrong sample rate',
      f'{path}: its header says {header.sample_rate} Hz, at which it would last {header.seconds:.1f} s; expected {right} Hz and '
      f'{seconds:.1f} s ({source}): correct the header, or fetch the file again',
    )
  if header.sample_rate != SAMPLE_RATE:
    wanted = ' or '.join(map(str, rates))
    message = f'{path}: {header.sample_rate} Hz, where the corpus has {wanted}; taken for a resampled copy'
    warnings.warn(message, InputWarning, stacklevel=2)


def find_root(source: str | Path, corpus: str, holds: Callable[[Path], bool], expected: str) -> Path:
  """The corpus's folder.

  Args:
    source: as the user gave it.
    corpus: its name.
    holds: whether a folder is the corpus's.
    expected: what is in such a folder, in words.

  Raises:
    InputError: it is not the corpus's folder; if the folder above or one below is, it is named.
  """
  folder = existing_folder(source, corpus)
  if holds(folder):
    return folder
  below = [str(child) for child in sorted(folder.iterdir()) if child.is_dir() and holds(child)]
  if below:
    raise InputError(f'{folder}: one level too high for {corpus}; expected a folder with {expected}: give {" or ".join(below)}')
  above = next((parent for parent in list(folder.resolve().parents)[:2] if holds(parent)), None)
  if above:
    raise InputError(f'{folder}: a part of {corpus}; expected the folder with {expected}: give {above}')
  raise InputError(f'{folder}: no {corpus} in it; expected a folder with {expected}: check the path, and that all was unpacked')


def unique(songs: Iterable[SongSource | Skipped]) -> Listing:
  """The listing, songs whose id came before set aside: one recording in two splits would let a model see its test."""
  seen, listing = set(), []
  for song in songs:
    if isinstance(song, SongSource):
      if song.id in seen:
        song = Skipped(song.id, 'duplicate id', f'{song.id}: listed twice, the second time in {song.split}; the first is taken')
      seen.add(song.id)
    listing.append(song)
  return listing
