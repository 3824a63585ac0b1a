"""Slakh2100 (redux, original or BabySlakh) as full mixes or as mixes of some stems, and MT3's TFRecords of it."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from math import comb
from pathlib import Path

import numpy as np

from data_prep import tfrecords
from data_prep.corpus import Corpus, Skipped, SongError, SongSource, existing_folder
from data_prep.reading import Listing, Origin, make_song, missing, skipped, stated_seconds, unique
from data_prep.slakh2100.tracks import list_tracks, read_mix, read_stems, usable_stems
from mt3_synth.data.songs import Song, Stem, Track
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes, concatenate, from_note_sequence

ORIGIN = Origin('slakh2100', 'CC BY 4.0')
SUBSETS, FEWEST_STEMS = 10, 4
_DRUMS = 128  # program_num of drums


def songs(source: str | Path, *, subsets: int = 0, lower_bass: bool = False, original_splits: bool = False) -> Listing:
  """The tracks of Slakh.

  Ids: `Track00001` is a full mix; `Track00001/subset3/S00+S02+S05+S07` is the mix of those stems, and the third of `subsets(...)`.

  Args:
    source: the folder with {train,validation,test}/TrackNNNNN or TrackNNNNN, or one with MT3's TFRecords.
    subsets: how many mixes of some stems training has of each track, in place of the full mix; 0 for the full mix.
    lower_bass: whether bass (programs 32-39) is written an octave lower.
    original_splits: whether the split goes by number, over all tracks, whatever folder they are in.

  Raises:
    InputError: the folder is not Slakh.
  """
  folder = existing_folder(source, 'Slakh')
  if tfrecords.holds_records(folder, RECORDS):
    if lower_bass or original_splits:
      raise InputError(f'{folder}: lower_bass and original_splits are for tracks; TFRecords are read as they are: leave the options out')
    return unique(tfrecords.list_records(folder, RECORDS, ORIGIN))
  return unique(_songs(folder, subsets, lower_bass, original_splits))


def subsets(track_id: str, stems: Sequence[str], count: int = SUBSETS) -> list[tuple[str, ...]]:
  """The sets of stems that training mixes of a track are made of: a function of the arguments alone, on every machine and version.

  Args:
    track_id: e.g. Track00001; the seed.
    stems: names of the usable ones; their order does not matter.
    count: how many sets.

  Returns:
    Sets of at least four, each sorted.  The size is uniform between four and all, the set uniform among those of its size; none comes
    twice before all came once.

  Raises:
    ValueError: there are fewer than four stems.
  """
  if len(stems) < FEWEST_STEMS:
    raise ValueError(f'{track_id}: {len(stems)} stems, expected at least {FEWEST_STEMS}')
  possible = sum(comb(len(stems), size) for size in range(FEWEST_STEMS, len(stems) + 1))
  chosen: list[tuple[str, ...]] = []
  draw = 0
  while len(chosen) < min(count, possible):
    drawn = _draw(f'{track_id}/{draw}', stems)
    draw += 1
    if drawn not in chosen:
      chosen.append(drawn)
  return [chosen[i % len(chosen)] for i in range(count)]


def _draw(seed: str, stems: Sequence[str]) -> tuple[str, ...]:
  number = lambda *what: int.from_bytes(hashlib.sha256('/'.join((seed, *what)).encode()).digest()[:8], 'big')
  size = FEWEST_STEMS + number() % (len(stems) - FEWEST_STEMS + 1)
  return tuple(sorted(sorted(stems, key=lambda stem: number(stem))[:size]))


def _songs(folder: Path, count: int, lower_bass: bool, original_splits: bool) -> Iterator[SongSource | Skipped]:
  for found in list_tracks(folder, original_splits=original_splits):
    if isinstance(found, Skipped):
      yield found
      continue
    split, track = found
    try:
      if count and split == 'train':
        yield from _subset_songs(track, count, lower_bass)
      else:
        yield _full_mix(split, track, lower_bass)
    except SongError as e:
      yield skipped(track.folder.name, e)


def _full_mix(split: str, track: Track, lower_bass: bool) -> SongSource | Skipped:
  id = track.folder.name
  if track.mix is None:
    raise SongError('missing audio', f'{track.folder}: neither mix.flac nor mix.wav is there; fetch the track again')
  absent = missing(id, 'missing notes', *(stem.midi for stem in track.stems if stem.sounds))
  if absent:
    return absent
  read = partial(_read_full_mix, id, track, track.mix, lower_bass, trim=split == 'train')
  return SongSource(id, split, read, stated_seconds(track.mix))


def _read_full_mix(id: str, track: Track, mix: Path, lower_bass: bool, trim: bool) -> Song:
  notes, audio = read_mix(track, mix, lower_bass=lower_bass)
  return make_song(id, notes, audio, ORIGIN, trim=trim)


def _subset_songs(track: Track, count: int, lower_bass: bool) -> Iterator[SongSource]:
  id, stems = track.folder.name, {stem.name: stem for stem in usable_stems(track)}
  if len(stems) < FEWEST_STEMS:
    found = f'{len(stems)} of its {len(track.stems)} stems have both audio and MIDI'
    raise SongError('too few stems', f'{track.folder}: {found}, expected at least {FEWEST_STEMS}: fetch the track again')
  seconds = stated_seconds(next(stem.audio for stem in stems.values() if stem.audio))
  for number, names in enumerate(subsets(id, list(stems), count), 1):
    song_id = f'{id}/subset{number}/{"+".join(names)}'
    read = partial(_read_subset, song_id, track.folder, tuple(stems[name] for name in names), lower_bass)
    yield SongSource(song_id, 'train', read, seconds, group=id)


def _read_subset(id: str, folder: Path, stems: tuple[Stem, ...], lower_bass: bool) -> Song:
  return make_song(id, *read_stems(folder, stems, lower_bass=lower_bass), ORIGIN, trim=True)


def record_song(features: tfrecords.Features, source: str) -> tuple[Notes, np.ndarray]:
  """Notes and mix of one of MT3's records of Slakh."""
  programs, names, sequences = (features[name] for name in ('program_num', 'inst_names', 'note_sequences'))
  if not len(programs) == len(names) == len(sequences):
    found = f'{len(programs)} programs and {len(names)} names for {len(sequences)} note sequences'
    raise SongError('damaged record', f'{source}: {found}; expected one each: fetch the file again')
  parts = [
    tfrecords.with_instrument(from_note_sequence(sequence), int(program), program == _DRUMS or name == b'Drums')
    for sequence, program, name in zip(sequences, programs, names, strict=True)
  ]
  return concatenate(parts).sorted(), tfrecords.read_floats(features, source, 'mix', 'audio_sample_rate')


RECORDS = tfrecords.Layout(
  id=['track_id', 'src_ids'],
  needed=['audio_sample_rate', 'inst_names', 'mix', 'note_sequences', 'program_num'],
  song=record_song,
  repeats=True,
  trim=True,
)

CORPUS = Corpus(
  name=ORIGIN.corpus,
  licence=ORIGIN.licence,
  description='Slakh2100: 2100 songs of the Lakh MIDI dataset rendered with professional sample libraries, each instrument a stem of its '
  'own with its MIDI file.',
  homepage='http://www.slakh.com',
  citation="""@inproceedings{manilow2019cutting,
  title={Cutting Music Source Separation Some {Slakh}: A Dataset to Study the Impact of Training Data Quality and Quantity},
  author={Manilow, Ethan and Wichern, Gordon and Seetharaman, Prem and Le Roux, Jonathan},
  booktitle={IEEE Workshop on Applications of Signal Processing to Audio and Acoustics},
  year={2019}
}""",
  songs=songs,
  configs={'subsets_10': {'subsets': SUBSETS}, 'full_mix': {'subsets': 0}},
  options={
    'lower_bass': (False, 'write bass (programs 32-39) an octave lower: some hold that Slakh annotates it an octave high'),
    'original_splits': (False, 'split by number, 1500 / 375 / 225, over all tracks whatever folder they are in'),
  },
)
