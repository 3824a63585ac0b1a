import dataclasses

import pytest

from mt3_synth.errors import InputError
from mt3_synth.evaluation.records import read_song, write_song
from mt3_synth.reporting.comparison import read_comparison
from tests.reporting.evaluations import write_evaluation_of_tones


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
  root = tmp_path_factory.mktemp('evaluations')
  return {
    'ar': write_evaluation_of_tones(root / 'ar', 'AR', error=0.3, seconds=1),
    'ddpm': write_evaluation_of_tones(root / 'ddpm', 'DDPM', seconds=1),
    'ddpm 1': write_evaluation_of_tones(root / 'ddpm 1', 'DDPM', seed=1, seconds=1),
    'failing': write_evaluation_of_tones(root / 'failing', 'failing', failed=('group/tune 1',), seconds=1),
    'all failed': write_evaluation_of_tones(root / 'all', 'all', failed=tuple(f'group/tune {k}' for k in range(3)), seconds=1),
    'other split': write_evaluation_of_tones(root / 'other', 'other', split='train', songs=1, seconds=1),
    'other version': write_evaluation_of_tones(root / 'version', 'old', metric_version=0, songs=1, seconds=1),
    'other embedder': write_evaluation_of_tones(root / 'embedder', 'vgg', embedders={'logmel_stats': 'ffff'}, seconds=1),
    'other inverter': write_evaluation_of_tones(root / 'inverter', 'gan', inverter='runs/gan', seconds=1),
  }


def test_seeds_of_one_model_are_one_row(folders):
  comparison = read_comparison([folders['ar'], folders['ddpm'], folders['ddpm 1']])
  assert [(row.name, row.kind, len(row.runs)) for row in comparison.rows] == [
    ('ground truth', 'target', 1),
    ('ground truth, inverted', 'ceiling', 1),
    ('AR', 'model', 1),
    ('DDPM', 'model', 2),
  ]
  assert comparison.values(comparison.row('DDPM'))['mel_l1'].shape == (2, 3)
  assert comparison.warnings == []


def test_names_can_be_given(folders):
  comparison = read_comparison([folders['ddpm'], folders['ddpm 1']], ['one', 'two'])
  assert [row.name for row in comparison.models] == ['one', 'two']
  with pytest.raises(InputError, match="'DDPM'.*'one', 'two'"):
    comparison.row('DDPM')


def test_a_song_that_failed_somewhere_is_in_no_number(folders):
  comparison = read_comparison([folders['ddpm'], folders['failing']])
  assert comparison.songs == ('group/tune 0', 'group/tune 2')
  assert comparison.left_out == {'group/tune 1': 'failing: its audio holds NaN'}
  assert '1 of 3 songs' in comparison.warnings[0]


def test_each_inverter_has_its_ceiling(folders):
  rows = read_comparison([folders['ddpm'], folders['other inverter']]).rows
  assert [row.name for row in rows if row.kind == 'ceiling'] == ['ground truth, inverted (griffin_lim)', 'ground truth, inverted (gan)']


def test_an_embedder_that_is_not_the_same_is_left_out(folders):
  comparison = read_comparison([folders['ddpm'], folders['other embedder']])
  assert comparison.embedders == {}
  assert 'logmel_stats is missing' in comparison.warnings[0]


@pytest.mark.parametrize(
  ('names', 'says'),
  [
    (['ddpm', 'other split'], "split is 'train', that of .* is 'test'"),
    (['ddpm', 'other version'], 'metric_version is 0, that of .* is 1'),
    (['ddpm', 'ddpm'], 'is given twice'),
    (['all failed'], 'no song was measured in all of'),
  ],
)
def test_what_does_not_compare_is_told(folders, names, says):
  with pytest.raises(InputError, match=says):
    read_comparison([folders[name] for name in names])


def test_an_evaluation_without_a_measured_song_does_not_take_the_report_with_it(folders):
  found = read_comparison([folders['all failed'], folders['ddpm']])
  assert [row.name for row in found.models] == ['DDPM']
  assert found.songs == read_comparison([folders['ddpm']]).songs
  assert found.warnings[0].startswith('all: no song of ')
  assert found.warnings[0].endswith('could be measured (its audio holds NaN); it is not in this report.')


def test_a_song_of_another_length_is_not_the_same_recording(folders, tmp_path):
  shorter = write_evaluation_of_tones(tmp_path / 'shorter', 'shorter', songs=3, seconds=1)
  song = read_song(shorter, 'group/tune 1')
  assert song is not None
  write_song(shorter, dataclasses.replace(song, seconds=0.5))
  found = read_comparison([write_evaluation_of_tones(tmp_path / 'whole', 'whole', songs=3, seconds=1), shorter])
  assert found.left_out == {'group/tune 1': 'shorter: of 0.5 s, whole of 1 s'}


def test_names_are_checked(folders, tmp_path):
  with pytest.raises(InputError, match='1 names for 2 evaluations'):
    read_comparison([folders['ar'], folders['ddpm']], ['a'])
  with pytest.raises(InputError, match='is the name of the recordings'):
    read_comparison([folders['ar']], ['ground truth'])
  with pytest.raises(InputError, match='evaluation.json'):
    read_comparison([tmp_path])
