import sys
import types
import warnings

import pytest

from mt3_synth import cli
from mt3_synth.errors import InputError, InputWarning


@pytest.fixture
def verb(monkeypatch):
  """Puts a verb of the test's own in the place of `train`; returns what sets its behaviour."""
  module = types.ModuleType('mt3_synth.train')
  module.__dict__['add_arguments'] = lambda parser: parser.add_argument('--gin_binding', action='append', default=[])
  monkeypatch.setitem(sys.modules, 'mt3_synth.train', module)
  monkeypatch.setattr(warnings, 'showwarning', warnings.showwarning)  # main sets it: put back afterwards
  return lambda run: module.__dict__.update(run=run)


def fail(error):
  def run(args):
    raise error

  return run


def test_what_a_verb_returns_is_the_exit_status(verb):
  verb(lambda args: None)
  assert cli.main(['train']) == 0
  verb(lambda args: 7)
  assert cli.main(['train']) == 7


def test_unusable_input_is_one_line_and_status_2(verb, capsys):
  verb(fail(InputError('a.mid: empty, expected a MIDI file')))
  assert cli.main(['train']) == 2
  assert capsys.readouterr() == ('', 'mt3-synth train: error: a.mid: empty, expected a MIDI file\n')


def test_an_interrupt_is_status_130_without_a_traceback(verb, capsys):
  verb(fail(KeyboardInterrupt()))
  assert cli.main(['train']) == 130
  assert capsys.readouterr().err == '\nmt3-synth train: interrupted\n'


def test_a_fault_of_ours_keeps_its_traceback(verb):
  verb(fail(ZeroDivisionError()))
  with pytest.raises(ZeroDivisionError):
    cli.main(['train'])


def test_a_warning_about_the_input_is_one_line(verb, capsys):
  verb(lambda args: warnings.warn('a.mid: 2 notes have no length', InputWarning, stacklevel=1))
  assert cli.main(['train']) == 0
  assert capsys.readouterr().err == 'mt3-synth: warning: a.mid: 2 notes have no length\n'


def test_a_warning_stands_on_a_line_of_its_own_above_a_progress_bar(verb, capsys):
  def run(args):
    from tqdm import tqdm

    with tqdm(total=2, miniters=0):
      warnings.warn('left out', InputWarning, stacklevel=1)

  verb(run)
  cli.main(['train'])
  assert 'mt3-synth: warning: left out' in capsys.readouterr().err.replace('\r', '\n').splitlines()


def test_other_warnings_look_as_they_always_do(verb, monkeypatch):
  shown = []
  monkeypatch.setattr(cli, '_plain_showwarning', lambda message, *_: shown.append(str(message)))
  verb(lambda args: warnings.warn('old', DeprecationWarning, stacklevel=1))
  cli.main(['train'])
  assert shown == ['old']


@pytest.mark.parametrize(
  ('word', 'binding'),
  [
    ('--gin.TRAIN_STEPS=10', 'TRAIN_STEPS=10'),
    ("--gin.MODEL_DIR='runs/a'", "MODEL_DIR='runs/a'"),
    ('--gin.TrainConfig.batch_size = 3', 'TrainConfig.batch_size = 3'),
    ('--gin_binding=SEED=--gin.A', 'SEED=--gin.A'),
  ],
)
def test_gin_bindings_can_be_given_as_options(verb, word, binding):
  given = []
  verb(lambda args: given.extend(args.gin_binding))
  cli.main(['train', word])
  assert given == [binding]


@pytest.mark.parametrize(('argv', 'says'), [(['nothing'], "invalid choice: 'nothing'"), ([], 'required: VERB'), (['train', '--x'], '--x')])
def test_what_is_no_verb_or_option_is_refused_with_status_2(verb, capsys, argv, says):
  verb(lambda args: 0)
  with pytest.raises(SystemExit) as stop:
    cli.main(argv)
  assert stop.value.code == 2
  assert says in capsys.readouterr().err


def test_the_help_page_names_every_verb(capsys):
  with pytest.raises(SystemExit) as stop:
    cli.main(['--help'])
  assert stop.value.code == 0
  page = capsys.readouterr().out
  assert all(name in page for name in cli.VERBS)


def test_every_verb_is_a_module_that_takes_arguments(capsys):
  for name in cli.VERBS:
    with pytest.raises(SystemExit) as stop:
      cli.main([name, '--help'])
    assert stop.value.code == 0
    assert f'mt3-synth {name}' in capsys.readouterr().out
