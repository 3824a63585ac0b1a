"""The tracks of Slakh on disk, and mixes of some of their stems."""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from data_prep.corpus import Skipped, SongError
from data_prep.reading import check_rate, find_root, read_recording, skipped, song_errors
from mt3_synth.audio.files import read_audio, to_int16
from mt3_synth.data.songs import Stem, Track, read_notes, read_stem_notes, read_track
from mt3_synth.errors import InputWarning
from mt3_synth.notes import Notes, concatenate

SPLITS = ('train', 'validation', 'test')
OMITTED = 'omitted'  # of redux: tracks that repeat others
LAST_TRAIN, LAST_VALIDATION = 1500, 1875  # the original split, by number
SAMPLE_RATES = (44100, 16000)  # BabySlakh is at 16 kHz
_BASS_PROGRAMS = range(32, 40)
_NAME = re.compile(r'Track(\d{5})')


def holds_tracks(folder: Path) -> bool:
  """Whether a folder is Slakh: split folders with tracks, or, as BabySlakh, tracks."""
  if any(_folders(folder / split) for split in SPLITS):
    return True
  return folder.name not in (*SPLITS, OMITTED) and bool(_folders(folder))


def original_split(track_id: str) -> str:
  """The split of Slakh2100's first release."""
  match = _NAME.fullmatch(track_id)
  if not match:
    raise ValueError(f'{track_id!r} is no name of a track; expected TrackNNNNN')
  number = int(match[1])
  return 'train' if number <= LAST_TRAIN else 'validation' if number <= LAST_VALIDATION else 'test'


def list_tracks(source: str | Path, *, original_splits: bool = False) -> Iterator[tuple[str, Track] | Skipped]:
  """(split, track) of every track, split by split, by number.

  The split is that of the folder, tracks in `omitted` left out; without split folders, and with `original_splits`, where every track
  counts, it goes by number.

  Raises:
    InputError: the folder is not Slakh.
  """
  root = find_root(source, 'Slakh', holds_tracks, '{train,validation,test}/TrackNNNNN, or, for BabySlakh, TrackNNNNN')
  by_folder = [(split, folder) for split in SPLITS for folder in _folders(root / split)]
  if original_splits or not by_folder:
    everywhere = sorted([*(folder for _, folder in by_folder), *_folders(root / OMITTED), *_folders(root)], key=lambda folder: folder.name)
    by_folder = [(original_split(folder.name), folder) for folder in everywhere]
  for split, folder in by_folder:
    try:
      with song_errors('unreadable description'):
        yield split, read_track(folder)
    except SongError as e:
      yield skipped(folder.name, e)


def usable_stems(track: Track) -> tuple[Stem, ...]:
  """Those with both notes and audio."""
  return tuple(stem for stem in track.stems if stem.audio and stem.midi.is_file())


def read_mix(track: Track, path: Path, *, lower_bass: bool) -> tuple[Notes, np.ndarray]:
  """Notes of all that sounds in the mix `path`, and its samples.  Raises SongError."""
  with song_errors('unreadable notes'):
    notes = read_notes(stem for stem in track.stems if stem.sounds)
  check_rate(path, SAMPLE_RATES, notes.duration, 'the end of its notes')
  return _lower_bass(notes) if lower_bass else notes, read_recording(path)


def read_stems(folder: Path, stems: Sequence[Stem], *, lower_bass: bool = False) -> tuple[Notes, np.ndarray]:
  """Notes of some stems of a track, and the sum of their audio, as loud as the files are.

  What was decoded is kept until another track is asked for.

  Raises:
    SongError: a file is missing or unreadable.

  Warns:
    InputWarning: the sum is over full scale.
  """
  parts = [_read_stem(folder, stem) for stem in stems]
  mix = np.zeros(max(len(audio) for _, audio in parts), np.float32)
  for _, audio in parts:
    mix[: len(audio)] += audio
  over = np.sum(np.abs(mix) > 1)
  if over:
    names = '+'.join(stem.name for stem in stems)
    warnings.warn(f'{folder}: {over} of {len(mix)} samples of {names} exceed full scale and are clipped', InputWarning, stacklevel=2)
  notes = concatenate(notes for notes, _ in parts).sorted()
  for stem in stems:  # one may rest for long, all together do not
    if stem.audio:
      check_rate(stem.audio, SAMPLE_RATES, notes.duration, 'the end of the notes')
  return _lower_bass(notes) if lower_bass else notes, to_int16(mix)


def _read_stem(folder: Path, stem: Stem) -> tuple[Notes, np.ndarray]:
  """Notes and float32 samples [S] at 16 kHz."""
  if stem.audio is None:
    raise SongError('missing audio', f'{folder}: stem {stem.name} has no audio; list the songs again')
  decoded = _decoded(folder)
  if stem not in decoded:
    with song_errors('unreadable notes'):
      notes = read_stem_notes(stem)
    with song_errors('unreadable audio'):
      decoded[stem] = notes, read_audio(stem.audio)
  return decoded[stem]


@lru_cache(maxsize=1)
def _decoded(folder: Path) -> dict[Stem, tuple[Notes, np.ndarray]]:
  """The stems of the track last read: an empty table when another track begins, filled by `_read_stem`."""
  return {}


def _lower_bass(notes: Notes) -> Notes:
  low = np.isin(notes.program, _BASS_PROGRAMS) & (notes.pitch >= 12)  # drums have program 0
  return replace(notes, pitch=np.where(low, notes.pitch - 12, notes.pitch))


def _folders(folder: Path) -> list[Path]:
  """The track folders within, by number."""
  return sorted(path for path in folder.glob('Track*') if _NAME.fullmatch(path.name) and path.is_dir())
