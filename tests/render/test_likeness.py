"""What we render is what FluidSynth's own program renders."""

import mido
import numpy as np
import pytest
import soundfile
import yaml

from mt3_synth import cli
from tests.render import reference


def rendered(midi_dir, out):
  """Yields (name of the MIDI file, samples) of a fresh corpus."""
  options = ['--no-stems', '--tail', '2', '--timing', 'player']
  assert cli.main(['render', str(midi_dir), '--soundfont', str(reference.SOUNDFONT), '--out', str(out), *options]) == 0
  for path in sorted(out.glob('*/*/metadata.yaml')):
    samples, rate = soundfile.read(path.parent / 'mix.flac', dtype='float32')
    assert rate == reference.RATE
    yield yaml.safe_load(path.read_text())['source'], samples


def agree(midi, samples, tmp_path):
  """Asserts that lengths agree and returns the likeness.

  Ours is the MIDI file's length and a tail of 2 s; FluidSynth's lasts until its voices are silent, 10 s at most.  So what is compared
  is the last sound before the MIDI file's end.
  """
  length = mido.MidiFile(midi).length
  expected = reference.play(midi, tmp_path)
  assert abs(len(samples) / reference.RATE - 2 - length) < 0.001
  assert len(expected) / reference.RATE > length - 0.1
  end = round(length * reference.RATE)
  assert abs(reference.last_sound(samples[:end]) - reference.last_sound(expected[:end])) < 0.1
  return reference.likeness(samples[:end], expected[: end + 40])


def test_a_short_piece_sounds_as_from_fluidsynth_itself(tmp_path):
  reference.needs_fluidsynth()
  file = mido.MidiFile(ticks_per_beat=480)
  for channel, program, pitches in ((0, 0, (60, 64, 67)), (1, 40, (76, 74, 72)), (9, 0, (36, 42, 38))):
    track = mido.MidiTrack()
    track.append(mido.Message('program_change', channel=channel, program=program))
    track.append(mido.Message('control_change', channel=channel, control=10, value=40 + 5 * channel))
    for pitch in pitches * 2:
      track.append(mido.Message('note_on', channel=channel, note=pitch, velocity=90))
      track.append(mido.Message('pitchwheel', channel=channel, pitch=500, time=100))
      track.append(mido.Message('note_off', channel=channel, note=pitch, time=260))
    file.tracks.append(track)
  (tmp_path / 'midi').mkdir()
  file.save(tmp_path / 'midi' / 'short.mid')
  ((_, samples),) = rendered(tmp_path / 'midi', tmp_path / 'out')
  assert agree(tmp_path / 'midi' / 'short.mid', samples, tmp_path) > 0.99


@pytest.mark.slow
def test_every_reference_piece_sounds_as_from_fluidsynth_itself(shared, tmp_path):
  reference.needs_fluidsynth()
  scores = {name: agree(shared / 'midi' / name, samples, tmp_path) for name, samples in rendered(shared / 'midi', tmp_path / 'out')}
  assert len(scores) == len(list((shared / 'midi').glob('*.mid')))
  low = min(scores, key=lambda name: scores[name])
  print(f'likeness: lowest {scores[low]:.4f} ({low}), median {np.median(list(scores.values())):.4f}')
  assert scores[low] > 0.99, sorted((score, name) for name, score in scores.items())[:5]
