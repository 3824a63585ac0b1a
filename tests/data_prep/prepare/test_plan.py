"""A plan is a function of the corpus alone, and deals songs evenly."""

from dataclasses import replace

import pytest

from data_prep.corpus import SongSource
from data_prep.prepare.plan import SHARD_SECONDS, make_plan
from mt3_synth.errors import InputError
from tests.data_prep.prepare.made_up import CORPUS


def corpus_of(*songs: SongSource):
  return replace(CORPUS, songs=lambda source: songs, configs={'default': {}}, options={})


def song(id, seconds=200.0, split='train', group=''):
  return SongSource(id, split, lambda: pytest.fail('a plan reads no song'), seconds, group)


def ids(shard):
  return [song.id for song in shard.songs]


def test_every_song_is_in_one_file_of_its_split(tmp_path):
  plan = make_plan(CORPUS, tmp_path)
  assert sorted(id for shard in plan.shards for id in ids(shard)) == [f'song{number:02d}' for number in range(14)]
  assert {(song.split, shard.split) for shard in plan.shards for song in shard.songs} == {(s, s) for s in ('train', 'validation', 'test')}
  assert [(skip.id, skip.reason) for skip in plan.skipped] == [('absent', 'missing audio'), ('song00', 'duplicate id')]
  assert [shard.name for shard in plan.shards if shard.split == 'test'] == [
    f'made_up-test.array_record-0000{number}-of-00002' for number in range(2)
  ]


def test_songs_are_mixed_whatever_the_order_of_the_listing():
  songs = [song(f'{number:03d}') for number in range(100)]
  plan = make_plan(corpus_of(*songs), 'x')
  order = [id for shard in plan.shards for id in ids(shard)]
  assert order == [id for shard in make_plan(corpus_of(*reversed(songs)), 'x').shards for id in ids(shard)]
  neighbours = sum(abs(int(one) - int(other)) == 1 for one, other in zip(order, order[1:], strict=False))
  assert neighbours < 10  # 99 in the listing


def test_files_are_of_about_equal_length():
  lengths = [30.0 + 997 * number % 600 for number in range(1000)]
  shards = make_plan(corpus_of(*(song(str(number), seconds) for number, seconds in enumerate(lengths))), 'x').shards
  assert len(shards) == -(-sum(lengths) // SHARD_SECONDS)
  target = sum(lengths) / len(shards)
  assert all(abs(sum(song.seconds for song in shard.songs) - target) < 630 for shard in shards)


def test_a_group_stays_together():
  shards = make_plan(corpus_of(*(song(f'{group}/{number}', group=group) for number in range(4) for group in 'abcdefghijkl')), 'x').shards
  for shard in shards:
    assert ids(shard) == [f'{id[0]}/{number}' for id in ids(shard)[::4] for number in range(4)]
  assert len(shards) > 4


def test_a_digest_tells_plans_apart(tmp_path):
  songs = [song('a'), song('b')]
  digest = make_plan(corpus_of(*songs), 'x').digest
  assert digest == make_plan(corpus_of(*reversed(songs)), 'elsewhere').digest
  others = [[*songs, song('c')], [song('a'), song('b', split='test')], [song('a'), song('b', 201.0)]]
  plans = [make_plan(corpus_of(*other), 'x') for other in others]
  made_up = [make_plan(CORPUS, tmp_path), make_plan(CORPUS, tmp_path, 'short'), make_plan(CORPUS, tmp_path, options={'slow': 0.1})]
  assert len({digest, *(plan.digest for plan in (*plans, *made_up))}) == 7


def test_faults_are_told(tmp_path):
  with pytest.raises(InputError, match="made_up: no config 'long'; there are default, short"):
    make_plan(CORPUS, tmp_path, 'long')
  with pytest.raises(InputError, match="no option 'loud'; there are: slow, count"):
    make_plan(CORPUS, tmp_path, options={'loud': 1})
  with pytest.raises(InputError, match='no song of made_up can be used; the first of 1: absent: no such file'):
    make_plan(replace(CORPUS, songs=lambda source, **options: list(CORPUS.songs(source))[:1]), tmp_path)
  with pytest.raises(InputError, match='the listing is empty'):
    make_plan(corpus_of(), 'x')
