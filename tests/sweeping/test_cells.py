from pathlib import Path

import pytest

from mt3_synth.errors import InputError
from mt3_synth.sweeping.cells import expand, label, read_choice
from mt3_synth.sweeping.config import SweepConfig

CONFIG = SweepConfig(
  axes={
    'model': {'ar': ['ar/{size}.gin', 'A=1'], 'ddpm': ['ddpm/{size}.gin']},
    'size': {'tiny': ['B=2'], 'small': []},
  },
  common=('task.gin', "C='{model}'"),
  combinations={'model=ar size=tiny': ['D={seed}'], 'size=small': ['last.gin']},
  evaluations={'test': ['--seed', '{seed}']},
)


def test_every_combination_is_a_cell_and_seeds_come_one_after_the_other():
  names = [cell.name for cell in expand(CONFIG, Path('out'), {}, seeds=[0, 3])]
  assert names == [f'{model}-{size}-{seed}' for seed in (0, 3) for model in ('ar', 'ddpm') for size in ('tiny', 'small')]


def test_a_choice_keeps_its_values_in_its_order():
  names = [cell.name for cell in expand(CONFIG, Path('out'), read_choice(['model=ddpm,ar', 'size=small']))]
  assert names == ['ddpm-small-0', 'ar-small-0']


def test_files_and_bindings_are_laid_over_one_another_in_order():
  first, second, *_ = expand(CONFIG, Path('/out'), {}, seeds=[7], bindings=['A=9'])
  assert first.gin_files == ('ar/tiny.gin', 'task.gin')
  assert first.bindings == ('A=1', 'B=2', "C='ar'", 'D=7', 'TrainConfig.seed=7', "MODEL_DIR='/out/ar-tiny-7'", 'A=9')
  assert second.gin_files == ('ar/small.gin', 'task.gin', 'last.gin')


def test_the_commands_are_the_verbs():
  cell = expand(CONFIG, Path('/out'), {'model': ['ddpm'], 'size': ['tiny']})[0]
  words = ['train', '--gin_file', 'ddpm/tiny.gin', '--gin_file', 'task.gin', '--gin.B=2', "--gin.C='ddpm'"]
  assert cell.commands['train'] == [*words, '--gin.TrainConfig.seed=0', "--gin.MODEL_DIR='/out/ddpm-tiny-0'"]
  evaluate = ['evaluate', '--checkpoint', '/out/ddpm-tiny-0', '--out', '/out/ddpm-tiny-0/evaluations/test', '--seed', '0']
  assert cell.commands['evaluate-test'] == evaluate


def test_folders_do_not_depend_on_where_a_job_runs():
  assert expand(CONFIG, Path('out'), {})[0].folder == Path.cwd() / 'out' / 'ar-tiny-0'


def test_a_label_names_what_varies():
  both = expand(CONFIG, Path('out'), {'size': ['tiny']}, seeds=[0, 1])
  assert [label(cell, both) for cell in both] == ['ar', 'ddpm', 'ar', 'ddpm']
  assert label(both[0], both[:1]) == 'ar tiny'


@pytest.mark.parametrize(
  ('words', 'says'),
  [
    (['modl=ar'], "--set: there is no axis 'modl'; did you mean model?"),
    (['model=arr'], "--set: model has no value 'arr'; did you mean ar?"),
    (['size=huge'], "--set: size has no value 'huge'; there are tiny, small"),
    (['model'], '--set model: expected AXIS=VALUE'),
    (['model=ar,'], '--set model=ar,: expected AXIS=VALUE'),
    (['model=ar', 'model=ddpm'], '--set model is given twice'),
  ],
)
def test_a_choice_that_names_nothing_is_told(words, says):
  with pytest.raises(InputError) as error:
    expand(CONFIG, Path('out'), read_choice(words))
  assert str(error.value).startswith(says)


@pytest.mark.parametrize(
  ('config', 'says'),
  [
    (SweepConfig({}), 'SweepConfig.axes is empty'),
    (SweepConfig({'a': {}}), 'a has no values'),
    (SweepConfig({'a': {'b/c': []}}), "'b/c' is no name"),
    (SweepConfig({'a': {'b': []}}, combinations={'a=c': []}), "combinations, 'a=c': a has no value 'c'"),
    (SweepConfig({'a': {'b': []}}, seeds=()), 'seeds are none'),
    (SweepConfig({'a': {'b': []}}, seeds=(1, 1)), 'seeds are 1, 1, expected different ones'),
  ],
)
def test_a_sweep_that_means_nothing_is_told(config, says):
  with pytest.raises(InputError, match=says):
    expand(config, Path('out'), {})
