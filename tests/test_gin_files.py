import os
import subprocess
import sys
from pathlib import Path

import pytest

from mt3_synth.config import MelConfig
from mt3_synth.data.mixtures import MIXTURES
from mt3_synth.errors import InputError
from mt3_synth.gin_files import read_gin
from mt3_synth.notes.codec import Codec
from mt3_synth.training.config import TrainConfig

ROOT = Path(__file__).parents[1]
FILES = sorted(str(file.relative_to(ROOT)) for file in (ROOT / 'gin_configs').rglob('*.gin'))
TASKS = [file for file in FILES if file.startswith('gin_configs/tasks/')]
SWEEPS = [file for file in FILES if file.startswith('gin_configs/sweeps/')]
FOR_T5X = [file for file in FILES if file.startswith('gin_configs/t5x/')]  # T5X's own trainer reads them
BEGINNINGS = {'gin_configs/finetune.gin': ('INIT_FROM', 'init_from'), 'gin_configs/resume.gin': ('RESUME_FROM', 'resume_from')}
RUNS = [file for file in FILES if file not in [*TASKS, *SWEEPS, *FOR_T5X, *BEGINNINGS]]
WHERE = ["MODEL_DIR = 'runs/a'", "CORPORA = ('embedded',)"]


def read(*bindings, files=('gin_configs/train.gin',)):
  return read_gin(TrainConfig, list(files), [*WHERE, *bindings])


@pytest.mark.parametrize('file', RUNS)
def test_every_shipped_file_is_a_run(file):
  config = read(files=[file])
  assert type(config) is TrainConfig
  assert (config.model_dir, config.corpora) == ('runs/a', ('embedded',))
  assert config.model.mel == MelConfig()


@pytest.mark.parametrize('file', TASKS)
def test_every_shipped_task_is_laid_over_a_model(file):
  name = Path(file).stem
  where = [] if name == 'embedded' else ["DATA_DIR = 'data'"]
  config = read_gin(TrainConfig, ['gin_configs/models/diffusion/context/base.gin', file], ["MODEL_DIR = 'runs/a'", *where])
  assert config.spectrogram_model.network.emb_dim == 768
  assert config.spectrogram_model.network.vocab_size == Codec(config.spectrogram_model.notes).table_size
  assert len(config.corpora) == 1
  assert name.startswith(config.corpora[0].replace('/', '_'))
  assert config.data_dir == ('data' if where else '')
  if name != 'embedded':
    assert name == 'mega' or config.corpora[0].partition('/')[0] in {corpus.partition('/')[0] for corpus in MIXTURES['mega'].corpora}


@pytest.mark.parametrize(('file', 'macro', 'field'), [(file, *names) for file, names in BEGINNINGS.items()])
def test_how_a_run_begins_is_laid_over_a_model_and_a_task(file, macro, field):
  files = ['gin_configs/models/diffusion/context/tiny.gin', 'gin_configs/tasks/embedded.gin', file]
  config = read_gin(TrainConfig, files, ["MODEL_DIR = 'runs/b'", f"{macro} = 'runs/a'"])
  assert getattr(config, field) == 'runs/a'
  with pytest.raises(InputError, match=f'{macro} has no value'):
    read_gin(TrainConfig, files, ["MODEL_DIR = 'runs/b'"])


def test_later_files_and_bindings_win(tmp_path):
  (tmp_path / 'mine.gin').write_text('BATCH_SIZE = 4\nTRAIN_STEPS = 7\n')
  config = read('TRAIN_STEPS = 9', files=['gin_configs/models/diffusion/context/tiny.gin', str(tmp_path / 'mine.gin')])
  assert (config.batch_size, config.total_steps, config.spectrogram_model.network.emb_dim) == (4, 9, 192)


def test_a_macro_may_be_passed_over():
  assert read('TrainConfig.batch_size = 5').batch_size == 5


def test_two_reads_do_not_leak_into_one_another():
  plain = read()
  assert read('NetworkConfig.emb_dim = 8', 'TRAIN_STEPS = 1', files=['gin_configs/models/diffusion/context/tiny.gin']) != plain
  with pytest.raises(InputError):
    read('NetworkConfig.emb_dim = "eight"')
  assert read() == plain


def test_files_are_found_from_any_folder(tmp_path):
  code = 'from mt3_synth.gin_files import *\nfrom mt3_synth.training.config import TrainConfig\n'
  code += f'print(read_gin(TrainConfig, ["gin_configs/demo.gin"], {WHERE}).total_steps)'
  environment = os.environ | {'PYTHONPATH': str(ROOT)}
  run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=tmp_path, env=environment)
  assert (run.returncode, run.stderr) == (0, '')
  assert int(run.stdout) == read(files=['gin_configs/demo.gin']).total_steps


def test_files_are_found_on_the_search_paths(tmp_path):
  (tmp_path / 'mine').mkdir()
  (tmp_path / 'mine' / 'half.gin').write_text("include 'other.gin'\nBATCH_SIZE = 3")
  (tmp_path / 'other.gin').write_text('TRAIN_STEPS = 5')
  where = [str(tmp_path / 'mine'), str(tmp_path)]
  config = read_gin(TrainConfig, ['gin_configs/train.gin', 'half.gin'], WHERE, where)
  assert (config.batch_size, config.total_steps) == (3, 5)
  with pytest.raises(InputError, match='half.gin'):
    read_gin(TrainConfig, ['gin_configs/train.gin', 'half.gin'], WHERE, where[1:])


def test_a_habit_of_t5x_changes_nothing():
  assert read('USE_CACHED_TASKS = False') == read()


def test_feature_lengths_are_the_networks():
  network = read(
    "TASK_FEATURE_LENGTHS = {'inputs': 1024, 'targets': 128}", files=['gin_configs/models/diffusion/context/tiny.gin']
  ).spectrogram_model.network
  assert (network.note_length, network.target_frames, network.context_frames) == (1024, 128, 64)


@pytest.mark.parametrize(
  ('binding', 'says'),
  [
    ('TrainConfig.batchsize = 3', "'TrainConfig' doesn't have a parameter named 'batchsize'.*did you mean TrainConfig.batch_size"),
    ('TranConfig.batch_size = 3', "No configurable matching 'TranConfig'.*did you mean TrainConfig"),
    ('TrainConfig.model = @Modelconfig()', "'@Modelconfig.*did you mean ModelConfig"),
    ('TRAIN_STEP = 3', r'nothing uses TRAIN_STEP; did you mean TRAIN_STEPS\?'),
    ('LEARNING = 3', 'nothing uses LEARNING$'),
    ('BATCH_SIZE = %BATCHES', "No bindings specified for 'BATCHES/gin.macro'$"),
    ('BATCH_SIZE = "3"', "field batch_size is '3', expected int"),
    ('NetworkConfig.conditioning = "alined"', "field model.network.conditioning is 'alined', expected one of 'tokens', 'aligned'"),
    ("CORPORA = 'embedded'", "field corpora is 'embedded', expected a list of str"),
    ('TrainConfig.model = @ModelConfig', 'not JSON serializable'),
    ('MODEL_DIR = runs/a', "Failed to parse token 'runs'"),
    ("TASK_FEATURE_LENGTHS = {'input': 3}", "has no feature 'input'; there are inputs, targets, targets_context; did you mean inputs"),
    ('TASK_FEATURE_LENGTHS = 3', 'TASK_FEATURE_LENGTHS is 3, expected a table'),
    ("TASK_FEATURE_LENGTHS = {'inputs': '3'}", "note_length is '3', expected int"),
    ('USE_CACHED_TASKS = True', 'USE_CACHED_TASKS can be False alone: prepared corpora are read'),
    ('USE_CACHED_TASK = True', r'nothing uses USE_CACHED_TASK; did you mean USE_CACHED_TASKS\?'),
    ('TASK_FEATURES_LENGTH = {}', r'nothing uses TASK_FEATURES_LENGTH; did you mean TASK_FEATURE_LENGTHS\?'),
    ('MODEL_DIR', "expected ':' or '='"),
    ('CORPORA = (1,', 'EOF'),
  ],
)
def test_a_bad_binding_is_told_in_one_line(binding, says):
  with pytest.raises(InputError, match=f'gin: .*{says}') as error:
    read(binding)
  assert '\n' not in str(error.value)
  assert len(str(error.value)) < 250


def test_a_binding_that_is_missing_is_named():
  with pytest.raises(InputError, match='MODEL_DIR has no value'):
    read_gin(TrainConfig, ['gin_configs/demo.gin'], [])
  with pytest.raises(InputError, match='model_dir'):
    read_gin(TrainConfig, [], [])


@pytest.mark.parametrize(
  ('content', 'says'),
  [
    (None, 'mine.gin'),
    (b'\xff\xfe\x00', 'mine.gin is not text'),
    (b"include 'nowhere.gin'", 'nowhere.gin'),
    (b'import nowhere', "No module named 'nowhere'"),
    (b'TRAIN_STEP = 3', 'nothing uses TRAIN_STEP; did you mean TRAIN_STEPS'),
  ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line(tmp_path, caplog, content, says):
  file = tmp_path / 'mine.gin'
  if content is not None:
    file.write_bytes(content)
  with pytest.raises(InputError, match=says) as error:
    read(files=['gin_configs/train.gin', str(file)])
  assert '\n' not in str(error.value)
  assert not caplog.records
