"""Laws of dealing songs to splits."""

import collections

import pytest

from mt3_synth.errors import InputError
from mt3_synth.rendering.plan import find_midi, plan


@pytest.fixture
def songs(tmp_path):
  for k in range(20):
    path = tmp_path / f'album {k % 3}' / f'song_{k:02d}.mid'
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b'%d' % k)
  (tmp_path / 'notes.txt').write_text('not MIDI')
  return tmp_path


def splits(songs, fractions=(0.8, 0.1, 0.1), seed=0, **patterns):
  return {job.name.split('/')[-1]: job.split for job in plan(songs, find_midi(songs), fractions, seed, **patterns)}


def test_every_song_is_in_one_split_and_the_shares_hold(songs):
  dealt = splits(songs)
  assert len(dealt) == 20
  assert collections.Counter(dealt.values()) == {'train': 16, 'validation': 2, 'test': 2}
  assert splits(songs) == dealt
  assert splits(songs, seed=1) != dealt


def test_tracks_are_numbered_by_path(songs):
  jobs = plan(songs, find_midi(songs), (1, 0, 0), 0)
  assert [job.track for job in jobs] == [f'Track{k:05d}' for k in range(1, 21)]
  assert [job.name for job in jobs] == sorted(job.name for job in jobs)


def test_equal_files_share_a_split(songs):
  for k in range(20):
    (songs / f'again_{k:02d}.mid').write_bytes(b'%d' % k)
  dealt = splits(songs)
  assert all(dealt[f'again_{k:02d}.mid'] == dealt[f'song_{k:02d}.mid'] for k in range(20))


def test_patterns_hold_songs_out(songs):
  dealt = splits(songs, (1, 0, 0), test=['song_03', 'album 1/*'], validation=['song_05.mid'])
  held = {f'song_{k:02d}.mid' for k in range(20) if k % 3 == 1} | {'song_03.mid'}
  assert {name for name, split in dealt.items() if split == 'test'} == held
  assert {name for name, split in dealt.items() if split == 'validation'} == {'song_05.mid'}


def test_a_small_corpus_still_has_all_splits(tmp_path):
  for k in range(3):
    (tmp_path / f'{k}.mid').write_bytes(b'%d' % k)
  assert sorted(splits(tmp_path).values()) == ['test', 'train', 'validation']


def test_the_corpus_itself_is_not_searched(songs):
  assert len(find_midi(songs, besides=songs / 'album 0')) == 13


def test_what_cannot_be_meant_is_an_error(songs, tmp_path):
  for fractions in ((0.8, 0.1), (0.9, 0.2, 0.1), (1.2, -0.1, -0.1)):
    with pytest.raises(InputError, match='add up to 1'):
      splits(songs, fractions)
  with pytest.raises(InputError, match='no MIDI file'):
    splits(songs, test=['sonata'])
  with pytest.raises(InputError, match=r'song_03.*test|song_03.*validation'):
    splits(songs, test=['song_03'], validation=['song_0*'])
  with pytest.raises(InputError, match='no such folder'):
    find_midi(tmp_path / 'absent')
