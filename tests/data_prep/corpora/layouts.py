"""Small corpora in the layouts of the real ones, their traps included; about a second of sound a song.

Each `write_CORPUS(folder)` makes the folder that the corpus's reader takes as its source, and returns it.
"""

import csv
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile
import yaml

from mt3_synth.notes import Notes, write_midi

SECONDS = 1.2

# ---- sounds and notes


@functools.cache
def sound(seconds: float = SECONDS, rate: int = 16000, seed: int = 0) -> np.ndarray:
  """Four tones below 1 kHz, float [S], within 0.1: they survive resampling."""
  rng = np.random.default_rng(seed)
  time = np.arange(round(seconds * rate)) / rate
  audio = 0.1 * np.mean([np.sin(2 * np.pi * (f * time + phase)) for f, phase in rng.uniform((100, 0), (1000, 1), (4, 2))], axis=0)
  audio.flags.writeable = False
  return audio


def melody(seconds: float = SECONDS, program: int = 0, lowest: int = 48, seed: int = 0) -> Notes:
  """Five notes a second of 0.15 s each, the first at 0.1 s."""
  rng = np.random.default_rng(seed)
  return Notes.from_rows([(t, t + 0.15, lowest + int(rng.integers(24)), 80, program) for t in np.arange(0.1, seconds - 0.15, 0.2).tolist()])


def write_sound(path: Path, audio: np.ndarray, rate: int, subtype: str = 'PCM_16') -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  soundfile.write(path, audio, rate, subtype=subtype)


# ---- MAESTRO


MAESTRO_COLUMNS = ('canonical_composer', 'canonical_title', 'split', 'year', 'midi_filename', 'audio_filename', 'duration')


def write_maestro(
  folder: Path,
  splits: Sequence[str] = ('train', 'validation', 'test'),
  version: str = '3.0.0',
  tables: Sequence[str] = ('csv', 'json'),
  columns: Sequence[str] = MAESTRO_COLUMNS,
) -> Path:
  """One performance for each of `splits`, stereo at 44.1 or 48 kHz.

  A pedal holds the first two notes; the last is struck half a second after the audio ended.  The JSON is a list of records before version
  3, from then on a dict of columns, whose keys are in another order in each.
  """
  rows = []
  for number, split in enumerate(splits):
    name, rate = f'2018/MIDI-Unprocessed_{number:02d}_R1_2018_wav--{number}', (44100, 48000)[number % 2]
    left = sound(rate=rate, seed=number)
    write_sound(folder / f'{name}.wav', np.stack([left, 0.5 * left], 1), rate)
    _write_pedalled_midi(folder / f'{name}.midi')
    title = ('Prélude, "No. 1"', 'Étude\u2028in C')[number % 2]
    rows.append(('J. S. Bach', title, split, 2018, f'{name}.midi', f'{name}.wav', SECONDS))
  places = [MAESTRO_COLUMNS.index(column) for column in columns]
  table = folder / f'maestro-v{version}.csv'
  if 'csv' in tables:
    with table.open('w', encoding='utf-8', newline='') as file:
      csv.writer(file).writerows([columns, *([row[place] for place in places] for row in rows)])
  if 'json' in tables:
    if version < '3':
      content: Any = [{column: row[place] for column, place in zip(columns, places, strict=True)} for row in rows]
    else:
      numbered = list(enumerate(rows))
      content = {
        column: {str(i): row[place] for i, row in numbered[:: -1 if place % 2 else 1]}
        for column, place in zip(columns, places, strict=True)
      }
    table.with_suffix('.json').write_text(json.dumps(content))
  return folder


def _write_pedalled_midi(path: Path) -> None:
  """Notes at 0.1 and 0.3 s of 0.1 s, held by the pedal until 0.6 s; one at 0.7 s; one at 1.7 s.  Note-off is velocity 0."""
  midi = mido.MidiFile(type=1, ticks_per_beat=500)  # a tick is 1 ms
  midi.add_track().append(mido.MetaMessage('set_tempo', tempo=500000))
  events = [(0, 'control_change', 64, 127), (0, 'control_change', 67, 100), (600, 'control_change', 64, 0)]
  for start, pitch in ((100, 60), (300, 64), (700, 67), (1700, 72)):
    events += [(start, 'note_on', pitch, 70), (start + 100, 'note_on', pitch, 0)]
  track, now = midi.add_track(), 0
  for time, kind, first, second in sorted(events, key=lambda event: event[0]):
    fields: dict[str, Any] = {'control': first, 'value': second} if kind == 'control_change' else {'note': first, 'velocity': second}
    track.append(mido.Message(kind, time=time - now, **fields))
    now = time
  midi.save(path)


# ---- Slakh, and what `mt3-synth render` writes


@dataclass(frozen=True)
class StemSpec:
  """A stem as it is to be on disk.

  Attributes:
    program: program_num of the description; 128 for drums.
    midi, audio: whether the file is there.
    described: whether the description says that it is there.
  """

  program: int
  midi: bool = True
  audio: bool = True
  described: bool = True

  @property
  def is_drum(self) -> bool:
    return self.program == 128


# Gaps in the numbers; S05 is nowhere, S06 has notes and no sound, S08 is described wrongly.
BAND = {
  'S00': StemSpec(27),
  'S01': StemSpec(128),
  'S03': StemSpec(33),
  'S04': StemSpec(1),
  'S05': StemSpec(103, midi=False, audio=False, described=False),
  'S06': StemSpec(80, audio=False, described=False),
  'S07': StemSpec(48),
  'S08': StemSpec(30, described=False),
}
BAND_SOUNDING = ('S00', 'S01', 'S03', 'S04', 'S07', 'S08')


def stem_notes(name: str, spec: StemSpec) -> Notes:
  """What a stem plays.  Two notes of one pitch overlap."""
  seed = int(name[1:])
  notes = melody(program=0 if spec.is_drum else spec.program, lowest=36, seed=seed)
  pitch = notes.pitch.copy()
  pitch[1] = pitch[0]
  offset = notes.offset.copy()
  offset[0] = notes.onset[1] + 0.1
  return replace(notes, pitch=pitch, offset=offset, is_drum=np.full(len(notes), spec.is_drum))


def stem_samples(name: str, rate: int) -> np.ndarray:
  """What a stem sounds like, int16 [S]."""
  return np.round(sound(rate=rate, seed=int(name[1:])) * 32767).astype(np.int16)


def write_slakh_track(folder: Path, stems: Mapping[str, StemSpec] = BAND, suffix: str = '.flac', rate: int = 44100) -> Path:
  """One track; the mix is the sum of its stems.  `all_src.mid` holds other notes."""
  (folder / 'MIDI').mkdir(parents=True)
  (folder / 'stems').mkdir()
  mix = np.zeros(round(SECONDS * rate), np.int16)
  for name, spec in stems.items():
    if spec.midi:
      _write_stem_midi(folder / 'MIDI' / f'{name}.mid', stem_notes(name, spec))
    if spec.audio:
      mix += stem_samples(name, rate)
      write_sound(folder / 'stems' / f'{name}{suffix}', stem_samples(name, rate), rate)
  write_sound(folder / f'mix{suffix}', mix, rate)
  write_midi(melody(lowest=90), folder / 'all_src.mid')
  about = {
    'UUID': '1a81ae092884234f3264e2f45927f00a',
    'audio_dir': 'elsewhere/stems',
    'normalization_factor': -13.0,
    'overall_gain': 0.18,
    'target_peak': -1.0,
    'stems': {name: _stem_description(spec) for name, spec in stems.items()},
  }
  (folder / 'metadata.yaml').write_text(yaml.safe_dump(about))
  return folder


def _stem_description(spec: StemSpec) -> dict[str, Any]:
  about = {
    'audio_rendered': spec.described,
    'inst_class': 'Drums' if spec.is_drum else 'Guitar',
    'is_drum': spec.is_drum,
    'midi_program_name': 'Drums' if spec.is_drum else 'Guitar',
    'midi_saved': spec.described,
    'plugin_name': 'guitar.nkm' if spec.described else 'None',
    'program_num': spec.program,
  }
  return about | ({'integrated_loudness': -17.5} if spec.audio else {})


def _write_stem_midi(path: Path, notes: Notes) -> None:
  """As Slakh's: one track, program 0 on channel 10 for drums; overlaps of one pitch are kept, in a track each."""
  channel = 9 if notes.is_drum.all() else 0
  midi = mido.MidiFile(type=1, ticks_per_beat=500)
  midi.add_track().append(mido.MetaMessage('set_tempo', tempo=500000))
  for every in (slice(0, None, 2), slice(1, None, 2)):
    track, now = midi.add_track(), 0
    track.append(mido.Message('program_change', channel=channel, program=0 if channel == 9 else int(notes.program[0])))
    for i in range(len(notes))[every]:
      on, off = round(notes.onset[i] * 1000), round(notes.offset[i] * 1000)
      track.append(mido.Message('note_on', channel=channel, note=int(notes.pitch[i]), velocity=80, time=on - now))
      track.append(mido.Message('note_off', channel=channel, note=int(notes.pitch[i]), time=off - on))
      now = off
  midi.save(path)


def write_slakh(
  folder: Path, tracks: Sequence[str] = ('train/Track00001', 'validation/Track01501', 'test/Track01876'), **track: Any
) -> Path:
  """Slakh2100-redux; `track` are arguments of `write_slakh_track`."""
  for name in tracks:
    write_slakh_track(folder / name, **track)
  return folder


def write_babyslakh(folder: Path, tracks: Sequence[str] = ('Track00001', 'Track00002'), stems: Mapping[str, StemSpec] = BAND) -> Path:
  """BabySlakh: WAV at 16 kHz, no split folders, nothing described as being there."""
  stems = {name: replace(spec, described=False) for name, spec in stems.items()}
  return write_slakh(folder, tracks, stems=stems, suffix='.wav', rate=16000)


def write_rendered(folder: Path, tracks: Sequence[str] = ('train/Track00001', 'validation/Track00002')) -> Path:
  """What `mt3-synth render --no-stems` writes: no audio of the stems, and the name of the MIDI file."""
  stems = {'S00': StemSpec(24), 'S01': StemSpec(128)}
  for number, name in enumerate(tracks):
    track = write_slakh_track(folder / name, stems, rate=16000)
    for stem in (track / 'stems').iterdir():
      stem.unlink()
    (track / 'stems').rmdir()
    with (track / 'metadata.yaml').open('a') as file:
      file.write(f'source: album/piece {number}.mid\n')
  return folder


# ---- URMP


URMP_PIECES = ('01_Jupiter_vn_vc', '15_Surprise_tpt_tpt_tbn', '38_Jerusalem_fl_ob_cl_sax_bn')


def write_urmp(folder: Path, pieces: Sequence[str] = URMP_PIECES) -> Path:
  """URMP's `Dataset`: 24 bit at 48 kHz; the files of the third part of piece 15 say tpt; the score is of other notes."""
  for piece in pieces:
    number, title, *instruments = piece.split('_')
    own = folder / piece
    own.mkdir(parents=True)
    mix = np.zeros(round(SECONDS * 48000))
    for part, instrument in enumerate(instruments, 1):
      named = 'tpt' if number == '15' else instrument
      audio = sound(rate=48000, seed=part)
      mix += audio
      write_sound(own / f'AuSep_{part}_{named}_{number}_{title}.wav', audio, 48000, 'PCM_24')
      lines = [f'{0.1 + 0.2 * i:.3f}\t{440 * 2 ** ((note + 0.3 - 69) / 12):.3f} \t0.150' for i, note in enumerate((60, 62, 64 + part))]
      (own / f'Notes_{part}_{named}_{number}_{title}.txt').write_text('\n'.join(lines) + '\n\n')
      (own / f'F0s_{part}_{named}_{number}_{title}.txt').write_text('0.000\t0.0\n')
    write_sound(own / f'AuMix_{piece}.wav', mix, 48000, 'PCM_24')
    write_midi(melody(lowest=90), own / f'Sco_{piece}.mid')
    (own / f'Vid_{piece}.mp4').touch()
  (folder / 'Supplementary_Files').mkdir()
  (folder / '.01_Hidden_vn_vc').mkdir()
  return folder


# ---- GuitarSet


GUITARSET_EXCERPTS = ('00_BN1-129-Eb_comp', '02_Jazz2-130-D#_solo', '03_SS3-84-Bb_comp')


def write_guitarset(folder: Path, excerpts: Sequence[str] = GUITARSET_EXCERPTS) -> Path:
  """GuitarSet; the microphone and the mix of the pickups sound different.  Annotations as a whole begin at 30 s."""
  for number, name in enumerate(excerpts):
    write_sound(folder / 'audio_mono-mic' / f'{name}_mic.wav', sound(rate=44100, seed=number), 44100)
    write_sound(folder / 'audio_mono-pickup_mix' / f'{name}_mix.wav', sound(rate=44100, seed=number + 100), 44100)
    six = np.stack([sound(rate=44100, seed=string) for string in range(6)], 1)
    write_sound(folder / 'audio_hex-pickup_original' / f'{name}_hex.wav', six, 44100)
    write_sound(folder / 'audio_hex-pickup_debleeded' / f'{name}_hex_cln.wav', six, 44100)
    (folder / 'annotation').mkdir(exist_ok=True)
    (folder / 'annotation' / f'{name}.jams').write_text(json.dumps(_jams(name)))
  return folder


def _jams(name: str) -> dict[str, Any]:
  """One note a string, low E first, at 0.1 s, 0.2 s, ..., a third of a semitone sharp."""
  annotations = []
  for string, pitch in enumerate((40, 45, 50, 55, 59, 64)):
    about = {'data_source': str(string)}
    note = {'time': 0.1 * (string + 1), 'duration': 0.2, 'value': pitch + 0.33, 'confidence': None}
    contour = {'time': [0.1], 'duration': [0.0], 'value': [{'index': 0, 'frequency': 82.4, 'voiced': True}], 'confidence': [None]}
    annotations += [
      {'namespace': 'pitch_contour', 'annotation_metadata': about, 'data': contour, 'time': 30, 'duration': SECONDS},
      {'namespace': 'note_midi', 'annotation_metadata': about, 'data': [note], 'time': 30, 'duration': SECONDS},
    ]
  annotations.append({'namespace': 'tempo', 'annotation_metadata': {'data_source': ''}, 'data': [], 'time': 30, 'duration': SECONDS})
  return {'annotations': annotations, 'file_metadata': {'title': name, 'duration': SECONDS}, 'sandbox': {}}


# ---- MusicNet


MUSICNET_RECORDINGS = ('train/1727', 'train/1733', 'test/1729')  # 1733 is of the validation set
MUSICNET_LABELS = ((4410, 8820, 1, 60), (35280, 44100, 41, 67), (0, 4410, 71, 48))  # in samples at 44.1 kHz; piano, violin, bassoon


def write_musicnet(folder: Path, recordings: Sequence[str] = MUSICNET_RECORDINGS) -> Path:
  """MusicNet in WAV and CSV files."""
  for recording in recordings:
    split, number = recording.split('/')
    write_sound(folder / f'{split}_data' / f'{number}.wav', sound(rate=44100, seed=int(number)), 44100)
    labels = folder / f'{split}_labels' / f'{number}.csv'
    labels.parent.mkdir(exist_ok=True)
    with labels.open('w', newline='') as file:
      writer = csv.writer(file)
      writer.writerow(['start_time', 'end_time', 'instrument', 'note', 'start_beat', 'end_beat', 'note_value'])
      writer.writerows([(*label, 0.0, 1.0, 'Quarter') for label in MUSICNET_LABELS])
  return folder


def write_musicnet_npz(folder: Path, recordings: Sequence[str] = ('1727', '1733')) -> Path:
  """MusicNet as one file of pickles, labels as interval trees."""
  from intervaltree import Interval, IntervalTree

  folder.mkdir(parents=True, exist_ok=True)
  arrays = {}
  for number in recordings:
    tree = IntervalTree(Interval(start, end, (instrument, note, 1, 0.0, 'Quarter')) for start, end, instrument, note in MUSICNET_LABELS)
    entry = np.empty(2, object)
    entry[:] = [sound(rate=44100, seed=int(number)).astype(np.float32), tree]
    arrays[number] = entry
  np.savez(folder / 'musicnet.npz', **arrays)
  return folder
