import json

import numpy as np
import pytest

from mt3_synth.config import MelConfig, NotesConfig
from mt3_synth.errors import InputError
from mt3_synth.notes import Codec, map_programs, num_frames
from mt3_synth.notes.codec import bin_to_velocity, frame_to_step, time_to_step, velocity_to_bin


@pytest.mark.parametrize('bins', [1, 127])
def test_the_vocabulary_is_the_published_one(golden, bins):
  expected = json.loads((golden / 'vocab.json').read_text())[f'velocity_bins_{bins}']
  codec = Codec(NotesConfig(velocity_bins=bins))
  ends = codec.starts[1:] - 1
  ranges = expected['ranges_without_special_offset']
  assert [[first, last] for first, last in zip(codec.starts[:-1] - 3, ends - 3, strict=True)] == list(ranges.values())
  assert list(ranges) == ['shift', 'pitch', 'velocity', 'tie', 'program', 'drum']
  assert (codec.event_classes, codec.vocab_size, codec.table_size) == tuple(
    expected[name] for name in ('num_classes', 'vocab_size', 'num_embeddings')
  )
  assert velocity_to_bin(np.arange(128), bins).tolist() == expected['velocity_to_bin']
  assert bin_to_velocity(np.arange(bins + 1), bins).tolist() == expected['bin_to_velocity']


def test_ids_of_the_default_configuration():
  codec = Codec(NotesConfig())
  assert codec.starts.tolist() == [3, 1004, 1132, 1134, 1135, 1263, 1391]


def test_only_velocity_zero_is_off():
  assert velocity_to_bin(np.array([0, 1, 63, 64, 127]), 2).tolist() == [0, 1, 1, 2, 2]
  assert bin_to_velocity(np.array([0, 1, 2]), 2).tolist() == [0, 63, 127]


def test_steps_round_half_to_even():
  assert time_to_step(np.array([0.004, 0.005, 0.0051, 0.015, 0.025]), NotesConfig()).tolist() == [0, 0, 1, 2, 2]


def test_a_frame_is_two_steps():
  assert frame_to_step(np.array([0, 1, 256]), NotesConfig(), MelConfig()).tolist() == [0, 2, 512]


@pytest.mark.parametrize(('seconds', 'frames'), [(0, 1), (0.0199, 1), (0.02, 2), (5.12, 257), (12.0, 601), (11.999, 600)])
def test_a_whole_number_of_hops_gives_one_frame_more(seconds, frames):
  assert num_frames(seconds) == frames


@pytest.mark.parametrize('config', [NotesConfig(velocity_bins=0), NotesConfig(velocity_bins=128), NotesConfig(steps_per_second=0)])
def test_impossible_configurations_are_refused(config):
  with pytest.raises(InputError, match='expected at least 1'):
    Codec(config)


def test_granularities():
  programs = np.array([0, 3, 25, 28, 39, 127])
  assert map_programs(programs, 'full').tolist() == [0, 3, 25, 28, 39, 127]
  assert map_programs(programs, 'flat').tolist() == [0] * 6
  assert map_programs(programs, 'midi_class').tolist() == [0, 0, 24, 24, 32, 120]
  assert map_programs(programs, 'slakh_classes').tolist() == [0, 0, 24, 26, 33, 88]
  with pytest.raises(InputError, match='coarse'):
    map_programs(programs, 'coarse')  # pyright: ignore[reportArgumentType]
