"""Small corpora as TFRecords, as earlier users have them; each `write_CORPUS_records(folder)` makes the folder that the reader takes."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from data_prep.tfrecords import masked_crc32c
from mt3_synth.data.records import encode_example
from mt3_synth.notes import Notes, to_note_sequence
from tests.data_prep.corpora.layouts import melody, sound


def write_tfrecord(path: Path, examples: Sequence[Mapping[str, Any]]) -> Path:
  """A TFRecord file; the data's own checksums are left at zero, which nothing here reads."""
  path.parent.mkdir(parents=True, exist_ok=True)
  with path.open('wb') as file:
    for example in examples:
      data = encode_example(example)
      length = len(data).to_bytes(8, 'little')
      file.write(length + masked_crc32c(length) + data + bytes(4))
  return path


def sequence(notes: Notes) -> bytes:
  return to_note_sequence(notes).SerializeToString()


def wav(seed: int, rate: int = 16000) -> bytes:
  file = io.BytesIO()
  soundfile.write(file, sound(rate=rate, seed=seed), rate, format='WAV', subtype='PCM_16')
  return file.getvalue()


def floats(seed: int, rate: int = 16000) -> np.ndarray:
  return sound(rate=rate, seed=seed).astype(np.float32)


def write_maestro_records(folder: Path, version: str = '3.0.0') -> Path:
  """Two shards to train on, of one record each, and one to validate; WAV at 44.1 kHz."""
  for seed, (split, shard) in enumerate((('train', '00000-of-00002'), ('train', '00001-of-00002'), ('validation', '00000-of-00001'))):
    example = {'audio': wav(seed, 44100), 'sequence': sequence(melody(seed=seed)), 'id': f'/id/maestro/{seed}'}
    write_tfrecord(folder / f'maestro-v{version}_ns_wav_{split}.tfrecord-{shard}', [example])
  return folder


def write_guitarset_records(folder: Path) -> Path:
  """Programs are not those of a guitar."""
  for seed, split in enumerate(('train', 'validation')):
    example = {'audio': wav(seed), 'sequence': sequence(melody(seed=seed)), 'velocity_range': b'\x08\x7f', 'id': f'guitar{seed}'}
    write_tfrecord(folder / f'{split}.tfrecord-00000-of-00001', [example])
  return folder


def write_urmp_records(folder: Path) -> Path:
  """A violin and a trombone, whose programs only `inst_names` says."""
  parts = [melody(lowest=70, seed=1), melody(lowest=40, seed=2)]
  example = {
    'id': 'piece',
    'tracks': [1, 2],
    'inst_names': ['vn', 'tbn'],
    'audio': wav(0, 48000),
    'sequence': sequence(parts[0]),
    'instrument_sequences': [sequence(part) for part in parts],
  }
  write_tfrecord(folder / 'train.tfrecord', [example])
  return folder


def write_musicnet_records(folder: Path) -> Path:
  for seed, split in enumerate(('train', 'validation', 'test')):
    notes = sequence(melody(program=41, seed=seed))
    example = {'id': f'{seed}', 'sample_rate': 44100.0, 'audio': floats(seed, 44100), 'sequence': notes}
    write_tfrecord(folder / f'musicnet-{split}.tfrecord-00000-of-00001', [example])
  return folder


# Name -> (what it is called, program_num).  In the order that MT3 keeps the four classes of Cerberus4.
RECORD_STEMS = {'S03': ('Electric Bass', 33), 'S01': ('Drums', 128), 'S00': ('Distorted Electric Guitar', 30), 'S04': ('Acoustic Piano', 1)}


def slakh_example(track: str, stems: Sequence[str]) -> dict[str, Any]:
  """An example of Slakh or Cerberus4.  Programs and drums are not in the note sequences."""
  audio = np.stack([floats(int(stem[1:])) for stem in stems])
  return {
    'audio_sample_rate': 16000,
    'inst_names': [RECORD_STEMS[stem][0] for stem in stems],
    'note_sequences': [sequence(_overlapping(melody(seed=int(stem[1:])))) for stem in stems],
    'src_ids': list(stems),
    'midi_class': [0] * len(stems),
    'plugin_name': [0] * len(stems),
    'program_num': [RECORD_STEMS[stem][1] for stem in stems],
    'slakh_class': [0] * len(stems),
    'mix': audio.sum(0),
    'stems': audio.reshape(-1),
    'stems_shape': list(audio.shape),
    'target_type': 'full',
    'track_id': track,
  }


def _overlapping(notes: Notes) -> Notes:
  """The first note, held into a second one of its pitch."""
  pitch, offset = notes.pitch.copy(), notes.offset.copy()
  pitch[1], offset[0] = pitch[0], notes.onset[1] + 0.1
  return Notes(notes.onset, offset, pitch, notes.velocity, notes.program, notes.is_drum)


def write_slakh_records(folder: Path) -> Path:
  """A track to train on, of which one subset was drawn twice, and one to validate."""
  train = [slakh_example('Track00001', stems) for stems in (('S03', 'S01'), ('S00', 'S04'), ('S03', 'S01'))]
  write_tfrecord(folder / 'slakh_multi_full_subsets_10_train.tfrecord-00000-of-00001', train)
  write_tfrecord(folder / 'slakh_multi_full_validation.tfrecord-00000-of-00001', [slakh_example('Track01501', tuple(RECORD_STEMS))])
  return folder


def write_cerberus4_records(folder: Path) -> Path:
  for track, split in (('Track00001', 'train'), ('Track01876', 'test')):
    example = slakh_example(track, tuple(RECORD_STEMS))
    write_tfrecord(folder / f'slakh_multi_cerberus_{split}_bass:drums:guitar:piano.tfrecord-00000-of-00001', [example])
  return folder
