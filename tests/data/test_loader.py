"""Batch n is a function of (seed, n) alone, however many threads, processes and hosts make it."""

import dataclasses
import itertools
import json
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.audio.mel import samples_for
from mt3_synth.config import MelConfig
from mt3_synth.data.loader import CropLoader
from mt3_synth.data.prepared import PreparedSplit
from mt3_synth.data.songs import Song
from mt3_synth.data.sources import PreparedSource, SongsInMemory
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes
from tests.data.prepared import write_prepared
from tests.data.tiny import CONTEXT, FRAMES, sound, tiny_model, tiny_song
from tests.test_imports import loaded_by

SONGS = [tiny_song(12.0, 'a'), tiny_song(1.0, 'b', 1), tiny_song(7.0, 'c', 2)]
CONFIGS = {'tokens': tiny_model(), 'aligned': tiny_model('aligned')}


def loader(seed=0, batch_size=4, conditioning='tokens', songs=SONGS, **options):
  return CropLoader([SongsInMemory(songs)], CONFIGS[conditioning], batch_size, seed, **options)


def same(a, b):
  return jax.tree.all(jax.tree.map(np.array_equal, a, b))


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
  folder = tmp_path_factory.mktemp('prepared') / 'tiny'
  return PreparedSource(PreparedSplit(write_prepared(folder, {'train': SONGS}), 'train'))


@pytest.mark.parametrize('conditioning', ['tokens', 'aligned'])
@pytest.mark.parametrize('crops_per_visit', [1, 3])
def test_batches_repeat_in_any_order(conditioning, crops_per_visit):
  make = lambda: loader(conditioning=conditioning, crops_per_visit=crops_per_visit)
  first, again = make(), make()
  batches = [first.batch(n) for n in range(4)]
  assert all(same(again.batch(n), batches[n]) for n in (3, 1, 0, 2, 1))
  assert not any(same(a, b) for a, b in itertools.combinations(batches, 2))


def test_token_rows_are_as_short_as_the_longest_lets_them_be():
  config = dataclasses.replace(tiny_model(), network=dataclasses.replace(tiny_model().network, note_length=600))
  make = lambda **options: CropLoader([SongsInMemory(SONGS)], config, 4, 0, **options)
  whole, cut = make(host=0, hosts=2).batch(0)['notes'], make().batch(0)['notes']
  assert (whole.shape, cut.shape) == ((2, 600), (4, 256))  # hosts that made rows of different lengths would not fit together
  assert_array_equal(cut[:2], whole[:, :256])
  with make().walk() as walk:
    assert_array_equal(next(walk)['notes'], cut)


def test_seeds_differ():
  assert not same(loader(0).batch(0), loader(1).batch(0))


@pytest.mark.parametrize('conditioning', ['tokens', 'aligned'])
def test_a_prepared_corpus_gives_what_its_songs_in_memory_give(prepared, conditioning):
  read = CropLoader([prepared], CONFIGS[conditioning], 8, 0)
  held = loader(batch_size=8, conditioning=conditioning)
  assert all(same(read.batch(n), held.batch(n)) for n in range(3))


def test_a_batch_stacks_crops():
  batch = loader(batch_size=3).batch(0)
  shapes = {name: (array.shape, array.dtype) for name, array in batch.items()}
  assert shapes == {
    'notes': ((3, 64), np.int32),
    'audio': ((3, samples_for(FRAMES)), np.int16),
    'frames': ((3,), np.int32),
    'context_audio': ((3, samples_for(CONTEXT)), np.int16),
    'context_frames': ((3,), np.int32),
  }
  aligned = loader(batch_size=3, conditioning='aligned').batch(0)['notes']
  assert {array.shape for array in aligned.values()} == {(3, 64)}


def test_two_walks_from_one_state_give_the_same_next_hundred_batches(prepared):
  make = lambda: CropLoader([prepared], CONFIGS['tokens'], 4, 0, crops_per_visit=2)
  with make().walk() as walk:
    seen = [next(walk) for _ in range(7)]
    state = json.loads(json.dumps(walk.get_state()))
    rest = list(itertools.islice(walk, 100))
  whole = make()
  assert all(same(batch, whole.batch(n)) for n, batch in enumerate(seen + rest))
  with make().walk(3) as other:
    next(other)
    other.set_state(state)
    assert all(same(a, b) for a, b in zip(other, rest, strict=False))
    assert other.get_state() == {'next_batch': 108}


def test_workers_make_the_same_batches_whatever_their_number(prepared):
  make = lambda workers: CropLoader([prepared], CONFIGS['tokens'], 4, 0, crops_per_visit=2, workers=workers)
  expected = make(0)
  with make(2).walk() as walk:
    assert all(same(next(walk), expected.batch(n)) for n in range(5))
    state = walk.get_state()
    batches = list(itertools.islice(walk, 100))
  assert state == {'next_batch': 5}
  assert all(same(batch, expected.batch(5 + n)) for n, batch in enumerate(batches))
  with make(1).walk() as walk:
    walk.set_state(state)
    assert all(same(a, b) for a, b in zip(itertools.islice(walk, 20), batches, strict=False))


@pytest.mark.parametrize('crops_per_visit', [1, 2, 3])
def test_hosts_share_the_batches_of_one(crops_per_visit):
  alone = loader(batch_size=6, crops_per_visit=crops_per_visit)
  parts = [loader(batch_size=6, crops_per_visit=crops_per_visit, host=host, hosts=3) for host in range(3)]
  for n in range(3):
    whole = jax.tree.map(lambda *arrays: np.concatenate(arrays), *(part.batch(n) for part in parts))
    assert same(whole, alone.batch(n))


class Told:
  """A source whose examples tell where they are from.  Each reading has a number."""

  def __init__(self, song_frames):
    self.song_frames = np.array(song_frames)
    self.readings = 0

  def crops(self, song, piece, config) -> Any:
    self.readings += 1
    frames = int(self.song_frames[song])
    where = {'song': song, 'piece': piece, 'song_frames': frames, 'reading': self.readings, 'frames': np.int32(1)}
    excerpt = SimpleNamespace(song_frames=frames)
    return SimpleNamespace(events=None, excerpt=excerpt, crop=lambda start: where | {'start': start})


LENGTHS = [600, 50, 350, 1050]  # 3, 1, 2 and 5 pieces
PLACES = [(song, piece) for song, pieces in enumerate((3, 1, 2, 5)) for piece in range(pieces)]


def test_an_epoch_visits_each_place_once_and_each_epoch_in_another_order():
  walk = CropLoader([Told(LENGTHS)], CONFIGS['tokens'], len(PLACES), 0)
  epochs = [walk.batch(n) for n in range(3)]
  orders = [tuple(zip(epoch['song'].tolist(), epoch['piece'].tolist(), strict=True)) for epoch in epochs]
  assert all(sorted(order) == PLACES for order in orders)
  assert len(set(orders)) == 3
  for epoch in epochs:
    inside = epoch['start'] < np.minimum(256 * (epoch['piece'] + 1), np.array(LENGTHS)[epoch['song']] - FRAMES + 1)
    assert (inside & (epoch['start'] >= 256 * epoch['piece'])).all()


@pytest.mark.parametrize(('batch_size', 'count'), [(4, 2), (4, 3), (6, 4), (3, 5)])
def test_crops_of_one_visit_are_in_different_batches_and_read_once(batch_size, count):
  walk = CropLoader([Told(LENGTHS)], CONFIGS['tokens'], batch_size, 0, crops_per_visit=count)
  drawn: dict[int, list] = {}
  for n in range(60):
    batch = walk.batch(n)
    assert len(set(batch['reading'])) == batch_size
    for reading, start in zip(batch['reading'], batch['start'], strict=True):
      drawn.setdefault(reading, []).append((n, start))
  crops = [crops for crops in drawn.values() if 20 < crops[0][0] < 40]
  assert len(crops) > 10
  assert {len(each) for each in crops} == {count}
  assert {len({n for n, _ in each}) for each in crops} == {count}
  assert np.mean([len({start for _, start in each}) > 1 for each in crops]) > 0.8


def test_corpora_are_drawn_at_their_rates():
  sources = [Told([300] * 20), Told([400] * 30), Told([500] * 10)]

  def share(**options):
    lengths = CropLoader(sources, CONFIGS['tokens'], 2000, 0, **options).batch(0)['song_frames']
    return [(lengths == length).mean() for length in (300, 400, 500)]

  assert_allclose(share(), np.array([40, 60, 20]) / 120, atol=0.003)  # visits of an epoch
  assert_allclose(share(temperature=2), np.sqrt([40, 60, 20]) / np.sqrt([40, 60, 20]).sum(), atol=0.003)
  assert_allclose(share(max_visits=30), np.array([30, 30, 20]) / 80, atol=0.003)


def test_examples_that_are_too_long_are_dropped_and_counted():
  chords = Notes.from_rows([(t, t + 0.01, pitch) for t in np.arange(0, 1, 0.05) for pitch in range(40, 80)])
  dense = Song('dense', chords, sound(2.0))
  with loader(songs=[dense], batch_size=20, too_long='drop').walk() as walk:
    batch = next(walk)
    empty = ~batch['notes'].any(axis=1)
    assert 0 < empty.sum() < 20
    assert_array_equal(batch['frames'] == 0, empty)
    assert walk.dropped == empty.sum()
    more = next(walk)
    assert walk.dropped == empty.sum() + (more['frames'] == 0).sum()


def test_batches_need_no_tensorflow(prepared):
  code = f"""
from mt3_synth.data.loader import CropLoader
from mt3_synth.data.sources import open_source
from mt3_synth.config import ModelConfig
CropLoader([open_source({str(prepared.split.folder)!r}, 'train')], ModelConfig(), 2, 0).batch(0)
import mt3_synth.train"""
  assert not loaded_by(code) & {'tensorflow', 'seqio', 'tensorflow_datasets', 'apache_beam'}


@pytest.mark.parametrize('workers', [0, 1])
def test_a_fault_in_the_background_reaches_the_caller(tmp_path, workers):
  folder = write_prepared(tmp_path / 'tiny', {'train': SONGS})
  source = PreparedSource(PreparedSplit(folder, 'train'))
  shard = next(folder.glob('*-00000-of-*'))
  shard.write_bytes(shard.read_bytes()[:1000])
  with (
    CropLoader([source], CONFIGS['tokens'], 4, 0, workers=workers).walk() as walk,
    pytest.raises(InputError, match='whole ArrayRecord|in its table'),
  ):
    next(walk)


@pytest.mark.parametrize(
  ('options', 'says'),
  [
    ({'songs': []}, 'no songs'),
    ({'workers': -1}, 'workers is -1, expected at least 0'),
    ({'seed': -1}, 'seed is -1'),
    ({'batch_size': 0}, 'batch_size is 0'),
    ({'crops_per_visit': 0}, 'crops_per_visit is 0, expected at least 1'),
    ({'workers': 3}, 'a batch of 4 can not be shared evenly among 1 x 3 hosts x workers; give a multiple'),
    ({'hosts': 3}, 'a batch of 4 can not be shared evenly among 3 hosts'),
  ],
)
def test_what_can_not_be_is_refused(options, says):
  with pytest.raises(InputError, match=says):
    loader(**options)


def test_a_state_of_another_loader_is_refused():
  with loader().walk() as walk, pytest.raises(InputError, match='next_batch is None'):
    walk.set_state({'iterator': 3})


def test_features_of_other_frames_are_refused():
  config = dataclasses.replace(CONFIGS['tokens'], mel=MelConfig(hop=160))
  with pytest.raises(InputError, match='hops of 160 samples; corpora are read at 16000 Hz in hops of 320'):
    CropLoader([SongsInMemory(SONGS)], config, 4, 0)
