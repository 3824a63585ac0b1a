"""A preparation gives every usable song back, the same bytes whoever writes them and however often it is stopped."""

import json
import resource
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import tensorflow_datasets as tfds
from numpy.testing import assert_array_equal

from data_prep.prepare import folder as folder_module
from data_prep.prepare.folder import SKIPPED, work_folder
from data_prep.prepare.job import prepare
from data_prep.prepare.local import write_locally
from data_prep.prepare.on_beam import write_on_beam
from data_prep.prepare.plan import make_plan
from data_prep.prepare.shard import REPORTS, write_shard
from mt3_synth.data.prepared import PreparedSplit, find_prepared
from mt3_synth.errors import InputError
from mt3_synth.notes import from_note_sequence
from tests.data_prep.prepare.made_up import CORPUS, DEADLY, TAKEN, files, make_song

ALONE = partial(write_locally, workers=1)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
  return tmp_path_factory.mktemp('source')


@pytest.fixture(scope='module')
def plan(source):
  return make_plan(CORPUS, source)


@pytest.fixture(scope='module')
def prepared(plan, tmp_path_factory):
  return prepare(plan, tmp_path_factory.mktemp('out'), ALONE)


def data_source(folder, split) -> Any:
  builder: Any = tfds.builder_from_directory(folder)
  return builder.as_data_source(split)


def test_songs_come_back(prepared, plan):
  splits = {split: PreparedSplit(prepared.folder, split) for split in ('train', 'validation', 'test')}
  assert {song.song_id for split in splits.values() for song in split.songs} == TAKEN
  for split in splits.values():
    for number, row in enumerate(split.songs):
      song = split.song(number).song
      original = make_song(int(row.song_id[4:]))
      assert song.notes == original.notes
      assert (row.samples, row.notes, song.licence, song.corpus) == (len(original.audio), len(original.notes), 'CC0-1.0', 'made_up')
      assert_array_equal(song.audio, original.audio)
  order = [song.id for shard in plan.shards if shard.split == 'train' for song in shard.songs if song.id in TAKEN]
  assert [song.song_id for song in splits['train'].songs] == order


def test_what_was_skipped_is_listed_with_its_reason(prepared):
  told = json.loads((prepared.folder / SKIPPED).read_text())
  assert {(song['id'], song['reason']) for song in told['skipped']} == {
    ('absent', 'missing audio'),
    ('song00', 'duplicate id'),
    ('song03', 'silent audio'),
    ('song05', 'unexpected fault'),
  }
  (fault,) = (song['message'] for song in told['skipped'] if song['id'] == 'song05')
  assert fault.startswith('song05: IndexError: list index out of range (made_up.py, line ')
  assert told['remarks'] == [{'id': 'song07', 'message': 'song07: 2 of 9 notes are left out'}]
  assert (prepared.songs, len(prepared.skipped), len(prepared.remarks)) == (12, 4, 1)


@pytest.mark.parametrize(
  'write',
  [partial(write_locally, workers=2), partial(write_on_beam, options=['--runner=DirectRunner', '--direct_num_workers=2'])],
  ids=['processes', 'beam'],
)
def test_the_bytes_are_the_same_whoever_writes(prepared, plan, tmp_path, write):
  other = prepare(plan, tmp_path, write)
  assert files(other.folder) == files(prepared.folder)
  assert (other.songs, other.seconds, other.bytes) == (prepared.songs, prepared.seconds, prepared.bytes)


def test_a_record_carries_its_notes_as_a_note_sequence(prepared):
  example = data_source(prepared.folder, 'train')[0]
  (piece,) = PreparedSplit(prepared.folder, 'train').read(0, 1)
  assert from_note_sequence(example['sequence']) == piece.notes.sorted()


def test_tfds_decodes_what_prepared_split_reads(prepared):
  builder = tfds.builder_from_directory(prepared.folder)
  for split in ('train', 'validation', 'test'):
    source, ours = data_source(prepared.folder, split), PreparedSplit(prepared.folder, split)
    assert len(source) == len(ours) == builder.info.splits[split].num_examples
    for number, piece in enumerate(ours.read(0, len(ours))):
      example = source[number]
      assert_array_equal(example['audio'], piece.audio, strict=True)
      for name in ('onset', 'offset', 'pitch', 'velocity', 'program', 'is_drum'):
        assert_array_equal(example['notes'][name], getattr(piece.notes, name))
      assert_array_equal(example['notes']['row'], piece.rows, strict=True)
      told = [example[name] for name in ('id', 'song_id', 'index', 'song_samples', 'corpus', 'licence')]
      assert told == [piece.id.encode(), piece.song_id.encode(), piece.index, piece.song_samples, b'made_up', b'CC0-1.0']
  assert builder.info.description == 'Songs of noise.'
  assert builder.info.redistribution_info.license == 'CC0-1.0'


def test_a_second_run_has_nothing_to_do(prepared, plan):
  before = files(prepared.folder)
  again = prepare(plan, prepared.folder.parents[2], lambda shards, folder: pytest.fail('written again'))
  assert (again.songs, again.seconds, again.bytes, again.new) == (prepared.songs, prepared.seconds, prepared.bytes, False)
  assert (again.skipped, again.remarks) == (prepared.skipped, prepared.remarks)
  assert files(prepared.folder) == before


def test_a_stopped_run_goes_on_with_what_is_not_finished(prepared, plan, tmp_path):
  def stop_after_three(shards, folder):
    ALONE(shards[:3], folder)
    raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    prepare(plan, tmp_path, stop_after_three)
  with pytest.raises(InputError, match='its preparation is not finished'):
    find_prepared(tmp_path)
  work = work_folder(plan, tmp_path)
  half = work / plan.shards[1].name  # as a machine without power may leave it
  half.write_bytes(half.read_bytes()[:1000])
  (work / '.made_up-train.abc.part').write_bytes(b'left by a killed process')
  told = []

  def go_on(shards, folder):
    told.extend(shard.name for shard in shards)
    ALONE(shards, folder)
    (folder / REPORTS / '.made_up-train.def.part').write_bytes(b'left by a process of another machine')

  assert files(prepare(plan, tmp_path, go_on).folder) == files(prepared.folder)
  assert told == [shard.name for shard in (plan.shards[1], *plan.shards[3:])]


def test_a_run_stopped_at_the_very_beginning_goes_on(prepared, plan, tmp_path):
  work = work_folder(plan, tmp_path)
  work.mkdir(parents=True)
  (work / '.plan.json').write_text('{"dig')
  assert files(prepare(plan, tmp_path, ALONE).folder) == files(prepared.folder)


@pytest.mark.parametrize('last', ['write_metadata', 'shutil.rmtree'])
def test_a_run_stopped_at_the_very_end_goes_on(prepared, plan, tmp_path, monkeypatch, last):
  def stop(*args, **options):
    raise KeyboardInterrupt

  with monkeypatch.context() as patched:
    patched.setattr(f'{folder_module.__name__}.{last}', stop)
    with pytest.raises(KeyboardInterrupt):
      prepare(plan, tmp_path, ALONE)
  if last == 'write_metadata':
    with pytest.raises(InputError, match='its preparation is not finished'):
      find_prepared(tmp_path)
  assert files(prepare(plan, tmp_path, ALONE).folder) == files(prepared.folder)
  assert not any(path.name == REPORTS for path in tmp_path.rglob('*'))


def test_a_killed_process_is_told_with_its_file(prepared, source, plan, tmp_path):
  two = partial(write_locally, workers=2)
  (source / DEADLY).touch()
  try:
    with pytest.raises(InputError, match=r'was killed by SIGKILL, most often for lack of memory') as caught:
      prepare(plan, tmp_path, two)
  finally:
    (source / DEADLY).unlink()
  (shard,) = (shard for shard in plan.shards if 'song09' in [song.id for song in shard.songs])
  assert str(caught.value).startswith(f'{shard.name}: ')
  assert not list(tmp_path.rglob('*.part'))
  assert files(prepare(plan, tmp_path, two).folder) == files(prepared.folder)


def test_a_full_disk_is_told(plan, tmp_path, monkeypatch):
  _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
  try:
    with pytest.raises(InputError, match=rf'{plan.shards[0].name}: cannot be written \(.*File too large.*the same command goes on'):
      write_shard(plan.shards[0], tmp_path)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
  assert files(tmp_path) == {}
  usage = folder_module.shutil.disk_usage(tmp_path)
  monkeypatch.setattr(folder_module.shutil, 'disk_usage', lambda path: usage._replace(free=1_000_000))
  with pytest.raises(InputError, match=r'0.0 GB are free, about 0.0 GB are needed; make room'):
    prepare(plan, tmp_path, ALONE)


def test_another_plans_folder_is_left_alone(prepared, plan, source, tmp_path):
  out = prepared.folder.parents[2]
  more = make_plan(CORPUS, source, options={'count': 15})
  for other in (more, make_plan(CORPUS, source, options={'slow': 0.001})):
    with pytest.raises(InputError, match='1.0.0: was begun from another source or with other options'):
      prepare(other, out, ALONE)
  with pytest.raises(InputError, match='songs 14, now 15'):
    prepare(more, out, ALONE)

  def stop(shards, folder):
    raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    prepare(plan, tmp_path, stop)
  with pytest.raises(InputError, match='1.0.0.incomplete: was begun from another source'):
    prepare(more, tmp_path, ALONE)


def test_a_folder_that_cannot_be_used_is_told(prepared, plan, tmp_path):
  with pytest.raises(InputError, match='is a prepared corpus itself; give --out the folder in which made_up/ is to be made'):
    prepare(plan, prepared.folder, ALONE)
  (tmp_path / 'file').touch()
  with pytest.raises(InputError, match='file/made_up/default/1.0.0.incomplete: cannot be written'):
    prepare(plan, tmp_path / 'file', ALONE)
  (tmp_path / 'made_up' / 'default' / '1.0.0').mkdir(parents=True)
  with pytest.raises(InputError, match='not made by `mt3-synth prepare`'):
    prepare(plan, tmp_path, ALONE)


def test_a_corpus_without_a_usable_song_is_told(source, tmp_path):
  silent = [song for song in CORPUS.songs(source) if song.id in ('song03', 'song05')]
  plan = make_plan(replace(CORPUS, songs=lambda source, **options: silent), source)
  with pytest.raises(InputError, match='none of the 2 songs of made_up can be used; the first: song0'):
    prepare(plan, tmp_path, ALONE)
