"""`mt3-synth inspect` shows what is there and what is wrong."""

import dataclasses
import json

import numpy as np
import pytest

from mt3_synth.audio.files import read_audio
from mt3_synth.cli import main
from mt3_synth.data.songs import Song
from mt3_synth.evaluation.sonify import sonify
from mt3_synth.notes import Notes
from tests.data.prepared import write_prepared


def song(name: str, seed: int, late: float = 0.0) -> Song:
  rng = np.random.default_rng(seed)
  onsets = np.cumsum(rng.uniform(0.15, 0.6, 40))
  notes = Notes.from_rows([(t, t + 0.25, int(rng.integers(48, 84))) for t in onsets])
  return Song(name, notes, (sonify(notes.shift(late), 16.0) * 32767).astype(np.int16), 'toy', 'CC0-1.0')


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
  root = tmp_path_factory.mktemp('corpora')
  silent = dataclasses.replace(song('quiet', 3), audio=np.zeros(16000, np.int16))
  songs = {'train': [song('good', 0), song('group/late', 1, late=0.2), silent], 'test': [song('good', 2)]}
  write_prepared(root / 'toy' / 'default' / '1.0.0', songs)
  return root


def test_the_table_the_suspects_and_the_page(corpus, tmp_path, capsys):
  out = tmp_path / 'report'
  assert main(['inspect', str(corpus), '--out', str(out), '--workers', '1']) == 0
  said = capsys.readouterr().out
  assert '1 of 4 songs look misaligned' in said
  assert 'train/group/late: the sound is 0.20 s late' in said
  assert 'CC0-1.0' in said
  page = (out / 'index.html').read_text()
  assert '<h1>toy: what is in it</h1>' in page
  assert 'train/group/late' in page  # shown without being asked for
  assert {'index.html', 'statistics.json', 'programs.png', 'tokens.png', 'example-0.png'} <= {file.name for file in out.iterdir()}
  told = json.loads((out / 'statistics.json').read_text())
  assert [(each['song_id'], bool(each['suspicious'])) for each in told['songs'] if each['split'] == 'train'] == [
    ('good', False),
    ('group/late', True),
    ('quiet', False),
  ]
  assert [row['songs'] for row in told['splits']] == [1, 3]


def test_one_example_from_its_piece_on(corpus, tmp_path):
  out = tmp_path / 'report'
  assert main(['inspect', str(corpus), '--out', str(out), '--workers', '1', '--example', 'train/good/00002', '--example', 'test/good']) == 0
  recording = read_audio(out / 'example-0-recording.wav')
  assert len(recording) == 256000 - 2 * 81920
  assert np.abs(recording - song('good', 0).audio[2 * 81920 :] / 32768).max() < 1e-4
  assert np.abs(read_audio(out / 'example-0-notes.wav')).max() > 0.1
  assert len(read_audio(out / 'example-1-both.wav')) == 256000


@pytest.mark.parametrize(
  ('arguments', 'says'),
  [
    (['--example', 'nobody'], "no example 'nobody'; songs are called, for example, good"),
    (['--example', 'good/00009'], "no example 'good/00009'"),
    (['--workers', '0'], '--workers is 0'),
    (['--out', '/dev/null/x'], '/dev/null/x: '),
  ],
)
def test_bad_requests(corpus, tmp_path, capsys, arguments, says):
  arguments = arguments if '--out' in arguments else [*arguments, '--out', str(tmp_path / 'report')]
  assert main(['inspect', str(corpus), *arguments]) == 2
  assert says in capsys.readouterr().err
  assert not (tmp_path / 'report').exists()


def test_a_folder_that_is_no_corpus(tmp_path, capsys):
  assert main(['inspect', str(tmp_path)]) == 2
  assert 'no prepared corpus here' in capsys.readouterr().err
