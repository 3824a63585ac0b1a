"""Statistics, counted by hand."""

import numpy as np
import pytest

from mt3_synth.data.songs import Song
from mt3_synth.data.statistics import DRUMS, statistics, total
from mt3_synth.notes import Notes

ONE = Song(
  'one',
  Notes.from_rows([(0, 2, 60), (1, 3, 64), (3, 4, 67, 90, 40), (8, 9, 60), (0.5, 0.6, 36, 100, 0, True)]),
  np.zeros(160000, np.int16),
  licence='CC0-1.0',
)


def test_one_song():
  found = statistics(ONE)
  assert (found.songs, found.seconds, found.notes) == (1, 10.0, 5)
  assert (found.sounding, found.note_seconds, found.most_at_once) == (5.0, 6.0, 2)
  assert found.polyphony == pytest.approx(1.2)
  assert found.of_program == {0: 3, 40: 1, DRUMS: 1}
  assert found.licences == {'CC0-1.0': 1}
  # tie | program on pitch | shift on drum | shift on pitch ... and of the second segment: tie shift program on pitch shift off pitch EOS
  assert sum(found.tokens.values()) == 2
  assert min(found.tokens) == 9


def test_a_note_that_begins_as_another_ends_does_not_sound_with_it():
  assert statistics(Song('two', Notes.from_rows([(0, 1, 60), (1, 2, 64)]), np.zeros(32000, np.int16))).most_at_once == 1


def test_songs_add_up():
  both = total([statistics(ONE), statistics(ONE)])
  assert (both.songs, both.notes, both.most_at_once, both.of_program[0]) == (2, 10, 2, 6)
  assert both.polyphony == statistics(ONE).polyphony
  assert sum(both.tokens.values()) == 4


def test_shares_and_percentiles_of_tokens():
  found = total([])
  assert (found.polyphony, found.token_percentile(50), found.share_longer(5)) == (0.0, 0, 0.0)
  found.tokens.update({10: 6, 20: 3, 3000: 1})
  assert [found.token_percentile(percent) for percent in (50, 60, 61, 90, 99)] == [10, 10, 20, 20, 3000]
  assert found.share_longer(2048) == 0.1
