"""Which crops are drawn: law by law."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.data.drawing import FIRST_SEGMENT_SHARE, Visits, consecutive_starts, draw_example, draw_starts, dropped, generator
from mt3_synth.data.examples import Crops
from mt3_synth.data.pieces import whole
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes
from tests.data.tiny import FRAMES, sound, tiny_model, tiny_song


@pytest.mark.parametrize(
  ('frames', 'target', 'pieces'), [(10, 256, 1), (256, 256, 1), (511, 256, 1), (512, 256, 2), (1000, 16, 4), (1, 1, 1)]
)
def test_a_song_is_visited_where_a_whole_target_can_start(frames, target, pieces):
  visits = Visits([frames], target)
  assert [visits[n] for n in range(len(visits))] == [(0, piece) for piece in range(pieces)]
  starts = np.concatenate([draw_starts(generator(0, piece), piece, frames, target, 20000) for piece in range(pieces)])
  assert_array_equal(np.unique(starts), np.arange(max(frames - target, 0) + 1))
  with pytest.raises(InputError, match=f'no target of {target} frames starts in piece {pieces}'):
    draw_starts(generator(0), pieces, frames, target)


def test_visits_follow_the_songs():
  visits = Visits([10, 600, 256, 1024], 256)
  assert [visits[n] for n in range(len(visits))] == [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (3, 2), (3, 3)]
  with pytest.raises(IndexError):
    visits[8]
  with pytest.raises(IndexError):
    visits[-1]


def test_starts_are_uniform_but_for_the_share_of_first_segments():
  count, frames = 60000, 100
  starts = draw_starts(generator(1), 0, frames, FRAMES, count)
  share = np.bincount(starts) / count
  places = frames - FRAMES + 1
  assert len(share) == places
  assert_allclose(share[0], FIRST_SEGMENT_SHARE + (1 - FIRST_SEGMENT_SHARE) / places, atol=0.01)
  assert_allclose(share[1:], (1 - FIRST_SEGMENT_SHARE) / places, atol=0.0015)
  later = draw_starts(generator(1), 1, 1000, FRAMES, count)
  assert_allclose(np.bincount(later)[256:512] / count, 1 / 256, atol=0.0015)


def test_draws_depend_on_every_number_and_on_nothing_else():
  draw = lambda *numbers: draw_starts(generator(*numbers), 1, 1000, FRAMES, 8).tolist()
  assert draw(1, 2, 3) == draw(1, 2, 3)
  assert len({tuple(draw(*numbers)) for numbers in [(1, 2, 3), (0, 2, 3), (1, 0, 3), (1, 2, 0)]}) == 4


@pytest.mark.parametrize(('frames', 'starts'), [(0, [0]), (5, [0]), (16, [0]), (17, [0, 16]), (48, [0, 16, 32])])
def test_segments_of_a_song_follow_one_another(frames, starts):
  assert consecutive_starts(frames, 16).tolist() == starts


@pytest.fixture(scope='module')
def dense():
  chords = [(t, t + 0.01, pitch) for t in np.arange(0, 2, 0.05) for pitch in range(40, 80)]
  return Song('dense', Notes.from_rows(chords), sound(2.0))


@pytest.mark.parametrize('conditioning', ['tokens', 'aligned'])
def test_notes_that_do_not_fit_are_left_out_silently(dense, conditioning):
  crops = Crops(whole(dense), tiny_model(conditioning))
  with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    example = draw_example(crops, 10)
  assert not said
  row = example['notes'] if conditioning == 'tokens' else example['notes']['mask']
  assert (row > 0).sum() > 50
  assert example['frames'] == FRAMES


def test_an_example_that_is_too_long_can_be_dropped(dense):
  crops = Crops(whole(dense), tiny_model())
  example = draw_example(crops, 10, 'drop')
  assert not example['notes'].any()
  assert example['frames'] == 0
  kept = draw_example(Crops(whole(tiny_song()), tiny_model()), 10, 'drop')
  assert (kept['frames'], kept['notes'][0] > 0) == (FRAMES, True)
  assert dropped({'frames': np.stack([example['frames'], kept['frames'], example['frames']])}) == 2
  aligned = draw_example(Crops(whole(dense), tiny_model('aligned')), 10, 'drop')
  assert aligned['frames'] == FRAMES
