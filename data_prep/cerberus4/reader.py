"""Cerberus4, made of Slakh's stems, and MT3's TFRecords of it.

Defined in Manilow, Seetharaman and Pardo, "Simultaneous Separation and Transcription of Mixtures with Multiple Polyphonic and Percussive
Instruments" (ICASSP 2020).
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from data_prep import tfrecords
from data_prep.corpus import Corpus, Skipped, SongError, SongSource, existing_folder
from data_prep.reading import Listing, Origin, make_song, skipped, stated_seconds, unique
from data_prep.slakh2100.tracks import list_tracks, read_stems, usable_stems
from mt3_synth.data.songs import Song, Stem, Track
from mt3_synth.notes import Notes, concatenate, from_note_sequence

ORIGIN = Origin('cerberus4', 'CC BY 4.0')
# Class -> the programs that belong to it; the first stands for all.  The order is that of MT3's records.
CLASSES = {'bass': range(32, 40), 'drums': None, 'guitar': range(24, 32), 'piano': range(8)}
_PROGRAMS = tuple((programs[0], False) if programs else (0, True) for programs in CLASSES.values())


def songs(source: str | Path) -> Listing:
  """All combinations of one stem of each class, of all tracks; a track that lacks a class has none.

  Ids say the stems in the order of CLASSES, e.g. `Track00001/S03+S01+S00+S02`.

  Args:
    source: the folder of Slakh2100 or BabySlakh, or one with MT3's TFRecords.

  Raises:
    InputError: it is neither.
  """
  folder = existing_folder(source, 'Slakh')
  if tfrecords.holds_records(folder, RECORDS):
    return unique(tfrecords.list_records(folder, RECORDS, ORIGIN))
  return unique(_songs(folder))


def combinations(stems: tuple[Stem, ...]) -> list[tuple[Stem, ...]]:
  """Sets of one stem of each class, each in the order of CLASSES."""
  return list(product(*([stem for stem in stems if _belongs(stem, programs)] for programs in CLASSES.values())))


def _belongs(stem: Stem, programs: range | None) -> bool:
  return stem.is_drum if programs is None else not stem.is_drum and stem.program in programs


def _songs(folder: Path) -> Iterator[SongSource | Skipped]:
  for found in list_tracks(folder):
    if isinstance(found, Skipped):
      yield found
      continue
    split, track = found
    try:
      yield from _combination_songs(split, track)
    except SongError as e:
      yield skipped(track.folder.name, e)


def _combination_songs(split: str, track: Track) -> Iterator[SongSource]:
  for stems in combinations(usable_stems(track)):
    id = f'{track.folder.name}/{"+".join(stem.name for stem in stems)}'
    seconds = max(stated_seconds(stem.audio) for stem in stems if stem.audio)
    playing = tuple(replace(stem, program=program) for stem, (program, _) in zip(stems, _PROGRAMS, strict=True))
    read = partial(_read, id, track.folder, playing, trim=split == 'train')
    yield SongSource(id, split, read, seconds, group=track.folder.name)


def _read(id: str, folder: Path, stems: tuple[Stem, ...], trim: bool) -> Song:
  return make_song(id, *read_stems(folder, stems), ORIGIN, trim=trim)


def _record_song(features: tfrecords.Features, source: str) -> tuple[Notes, np.ndarray]:
  """MT3's records hold the four classes in the order of CLASSES."""
  sequences = features['note_sequences']
  if len(sequences) != len(CLASSES):
    found = f'{len(sequences)} note sequences'
    raise SongError('damaged record', f'{source}: {found}; expected {", ".join(CLASSES)}: are the records of Slakh as a whole?')
  parts = (tfrecords.with_instrument(from_note_sequence(sequence), *of) for sequence, of in zip(sequences, _PROGRAMS, strict=True))
  return concatenate(parts).sorted(), tfrecords.read_floats(features, source, 'mix', 'audio_sample_rate')


RECORDS = tfrecords.Layout(
  id=['track_id', 'src_ids'],
  needed=['audio_sample_rate', 'mix', 'note_sequences'],
  song=_record_song,
  repeats=True,
  trim=True,
)

CORPUS = Corpus(
  name=ORIGIN.corpus,
  licence=ORIGIN.licence,
  description='Cerberus4: every combination of one stem each of piano, guitar, bass and drums of the songs of Slakh2100.',
  homepage='http://www.slakh.com',
  citation="""@inproceedings{manilow2020simultaneous,
  title={Simultaneous Separation and Transcription of Mixtures with Multiple Polyphonic and Percussive Instruments},
  author={Manilow, Ethan and Seetharaman, Prem and Pardo, Bryan},
  booktitle={IEEE International Conference on Acoustics, Speech and Signal Processing},
  year={2020}
}""",
  songs=songs,
)
