"""`mt3-synth prepare` on every corpus, its exit status and what it tells."""

import shutil
from functools import partial

import pytest
import soundfile
from numpy.testing import assert_array_equal

from data_prep.corpus import SongSource
from data_prep.prepare import local
from data_prep.prepare.corpora import corpus_names, load_corpus
from mt3_synth.cli import main
from mt3_synth.data.prepared import PreparedSplit
from tests.data_prep.corpora import layouts
from tests.data_prep.prepare.made_up import files

WRITERS = {
  'cerberus4': layouts.write_slakh,
  'guitarset': layouts.write_guitarset,
  'maestro': layouts.write_maestro,
  'musicnet': layouts.write_musicnet,
  'rendered': layouts.write_rendered,
  'slakh2100': layouts.write_slakh,
  'urmp': layouts.write_urmp,
}


def prepare(corpus, source, out, *flags):
  return main(['prepare', corpus, '--source', str(source), '--out', str(out), '--workers', '1', *flags])


@pytest.fixture
def rendered(tmp_path):
  return layouts.write_rendered(tmp_path / 'rendered', [f'{split}/Track0000{n}' for n, split in enumerate(['train', 'train', 'test'])])


def test_every_corpus_is_tried():
  assert sorted(WRITERS) == corpus_names()


@pytest.mark.parametrize('name', WRITERS)
@pytest.mark.filterwarnings('ignore::mt3_synth.errors.InputWarning')
def test_what_a_reader_reads_is_in_the_prepared_corpus(name, tmp_path):
  corpus = load_corpus(name)
  source = WRITERS[name](tmp_path / 'source')
  assert prepare(name, source, tmp_path / 'out') == 0
  config = next(iter(corpus.configs))
  options = {option: default for option, (default, _) in corpus.options.items()} | dict(corpus.configs[config])
  songs = [song for song in corpus.songs(source, **options) if isinstance(song, SongSource)]
  for split in {song.split for song in songs}:
    prepared = PreparedSplit(tmp_path / 'out' / name / config, split)
    numbers = {row.song_id: number for number, row in enumerate(prepared.songs)}
    assert set(numbers) == {song.id for song in songs if song.split == split}
    for source_of_song in (song for song in songs if song.split == split):
      song, expected = prepared.song(numbers[source_of_song.id]).song, source_of_song.read()
      assert_array_equal(song.audio, expected.audio)
      assert song.notes == expected.notes
      assert (song.corpus, song.licence) == (expected.corpus, expected.licence) == (name, corpus.licence)


def test_a_corpus_option_is_a_flag(tmp_path):
  source = layouts.write_guitarset(tmp_path / 'source')
  assert prepare('guitarset', source, tmp_path / 'mic') == 0
  assert prepare('guitarset', source, tmp_path / 'mix', '--audio', 'pickup_mix') == 0
  mic, mix = (PreparedSplit(tmp_path / out, 'train') for out in ('mic', 'mix'))
  assert {song.song_id.rpartition('_')[2] for song in mic.songs} == {'mic'}
  assert {song.song_id.rpartition('_')[2] for song in mix.songs} == {'mix'}


def test_a_config_chooses_what_is_made(tmp_path):
  source = layouts.write_slakh(tmp_path / 'source')
  assert prepare('slakh2100', source, tmp_path / 'out', '--config', 'full_mix') == 0
  assert (tmp_path / 'out' / 'slakh2100' / 'full_mix' / '1.0.0').is_dir()
  assert all('/' not in song.song_id for song in PreparedSplit(tmp_path / 'out', 'train').songs)


def test_skipped_songs_make_status_3_each_time(rendered, tmp_path, capsys):
  silent = rendered / 'train' / 'Track00001' / 'mix.flac'
  soundfile.write(silent, 0 * soundfile.read(silent)[0], 16000)
  (rendered / 'test' / 'Track00002' / 'MIDI' / 'S00.mid').unlink()
  for again in ('0.00 GB\n', 'nothing was left to do\n'):
    assert prepare('rendered', rendered, tmp_path / 'out') == 3
    told = capsys.readouterr()
    assert '1 songs, 0.00 hours' in told.out
    assert '1 skipped for silent audio:\n  album/piece 1.mid: all ' in told.err
    assert '1 skipped for missing notes:\n' in told.err
    assert told.out.endswith(again)


def test_many_skipped_songs_are_told_in_few_lines(tmp_path, capsys):
  rendered = layouts.write_rendered(tmp_path / 'rendered', [f'train/Track0000{n}' for n in range(9)])
  for track in sorted(rendered.glob('train/*'))[1:]:
    (track / 'mix.flac').write_bytes(b'')
  assert prepare('rendered', rendered, tmp_path / 'out') == 3
  told = capsys.readouterr().err
  assert '8 skipped for unreadable audio:\n' in told
  assert told.count('mix.flac') == 5
  assert 'and 3 more: see ' in told


def test_nothing_to_be_done_is_status_2(rendered, tmp_path, capsys):
  def refused(*flags, source=rendered):
    assert prepare('rendered', source, tmp_path / 'out', *flags) == 2
    assert not (tmp_path / 'out').exists()
    (line,) = capsys.readouterr().err.splitlines()
    return line

  assert 'nowhere: no such folder' in refused(source=tmp_path / 'nowhere')
  assert '--workers -1: expected 1 or more' in refused('--workers', '-1')
  assert '--region=x: options for Beam need --runner' in refused('--', '--region=x')
  for mix in rendered.rglob('mix.flac'):
    mix.unlink()
  assert 'no song of rendered can be used; the first of 3: ' in refused()


def test_a_runner_takes_its_options_after_two_dashes(rendered, tmp_path, capsys):
  assert prepare('rendered', rendered, tmp_path / 'here') == 0
  assert prepare('rendered', rendered, tmp_path / 'beam', '--runner', 'DirectRunner', '--', '--direct_num_workers=1') == 0
  assert files(tmp_path / 'beam') == files(tmp_path / 'here')
  assert prepare('rendered', rendered, tmp_path / 'other', '--runner', 'NoRunner') == 2
  assert 'Unexpected pipeline runner: NoRunner' in capsys.readouterr().err


def test_an_interrupted_command_goes_on(rendered, tmp_path, monkeypatch, capsys):
  assert prepare('rendered', rendered, tmp_path / 'whole') == 0
  write = local.write_shard
  with monkeypatch.context() as patched:
    patched.setattr(local, 'write_shard', partial(_interrupt_the_second, write, []))
    assert prepare('rendered', rendered, tmp_path / 'out') == 130
  assert prepare('rendered', rendered, tmp_path / 'out') == 0
  assert files(tmp_path / 'out') == files(tmp_path / 'whole')


def _interrupt_the_second(write, written, shard, folder, on_song):
  if written:
    raise KeyboardInterrupt
  written.append(write(shard, folder, on_song))


def test_another_source_is_refused(rendered, tmp_path, capsys):
  assert prepare('rendered', rendered, tmp_path / 'out') == 0
  before = files(tmp_path / 'out')
  shutil.rmtree(rendered / 'test')
  assert prepare('rendered', rendered, tmp_path / 'out') == 2
  assert 'was begun from another source or with other options (songs 3, now 2' in capsys.readouterr().err
  assert files(tmp_path / 'out') == before


def test_help_names_the_corpora_and_their_options(capsys):
  for flags, says in ((['--help'], corpus_names()), (['guitarset', '--help'], ['--audio', 'mono-mic', 'CC BY 4.0', '--runner'])):
    with pytest.raises(SystemExit):
      main(['prepare', *flags])
    told = capsys.readouterr().out
    assert all(word in told for word in says)
