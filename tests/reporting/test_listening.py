"""The listening test tells listeners nothing, and its key tells all."""

import json
import re

import numpy as np
import pytest

from mt3_synth.audio.files import read_audio
from mt3_synth.errors import InputError
from mt3_synth.reporting.comparison import TARGET, read_comparison
from mt3_synth.reporting.listening import ANCHOR, low_pass, read_key, systems_of, write_test
from mt3_synth.reporting.media import write_media
from tests.reporting.evaluations import write_evaluation_of_tones


@pytest.fixture(scope='module')
def report(tmp_path_factory):
  root = tmp_path_factory.mktemp('report')
  folders = [write_evaluation_of_tones(root / name, name, songs=3, seconds=3, error=error) for name, error in (('AR', 0.3), ('DDPM', 0.1))]
  (root / 'out').mkdir()
  return root / 'out', write_media(root / 'out', read_comparison(folders), 3, 60.0)


def make(report, out, **changes):
  folder, shown = report
  return write_test(out, folder, shown, TARGET, 'A test', **({'songs': 2, 'seconds': 1.0, 'seed': 0} | changes))


def test_nothing_that_listeners_get_names_a_system(report, tmp_path):
  path, key = make(report, tmp_path / 'test')
  assert path == tmp_path / 'test.key.json'
  page = (tmp_path / 'test' / 'index.html').read_text()
  data = page.partition('id="data">')[2].partition('</script>')[0]
  for word in [*systems_of(key), *(trial['song'] for trial in key.trials.values())]:
    assert word not in data
  names = {file.stem for file in (tmp_path / 'test').rglob('*.flac')}
  assert len(names) == 2 * 6  # ground truth, inverted, two models, anchor, and the open reference
  assert all(re.fullmatch('[0-9a-f]{12}', name) for name in names)
  told = json.loads(data)
  for trial in told['trials']:
    assert {trial['reference'], *trial['stimuli']} <= names
    assert trial['stimuli'] == sorted(trial['stimuli'])  # an order that says nothing
  assert not re.search(r'(?:src|href)=', page)


def test_the_key_tells_every_sound(report, tmp_path):
  path, key = make(report, tmp_path / 'test')
  assert read_key(path) == key
  assert sorted(systems_of(key)) == sorted(['ground truth', 'ground truth, inverted', 'AR', 'DDPM', ANCHOR])
  folder = tmp_path / 'test' / 'audio'
  for trial in key.trials.values():
    sounds = {name: read_audio(folder / f'{each}.flac') for each, name in trial['stimuli'].items()}
    assert np.array_equal(sounds[TARGET], read_audio(folder / f'{trial["reference"]}.flac'))
    assert {len(sound) for sound in sounds.values()} == {16000}
    levels = [np.sqrt(np.mean(sound**2)) for sound in sounds.values()]
    assert levels == pytest.approx([levels[0]] * 5, rel=0.01)  # loudness is not what is rated
    assert max(np.abs(sound).max() for sound in sounds.values()) < 0.96


def test_the_same_seed_makes_the_same_test(report, tmp_path):
  first, again, other = (make(report, tmp_path / str(k), seed=seed)[1] for k, seed in enumerate((3, 3, 4)))
  assert first == again
  assert first.test != other.test


def test_the_anchor_lacks_what_is_high():
  seconds = np.arange(16000) / 16000
  level = lambda hertz: np.abs(low_pass(np.sin(2 * np.pi * hertz * seconds).astype(np.float32), 3500)[1000:-1000]).max()
  assert level(3300) == pytest.approx(1, abs=0.01)
  assert level(3700) < 0.002


def test_what_cannot_be_made_is_told(report, tmp_path):
  make(report, tmp_path / 'test')
  with pytest.raises(InputError, match='is not empty'):
    make(report, tmp_path / 'test')
  with pytest.raises(InputError, match="no song has sound of 'ground truth'"):
    write_test(tmp_path / 'new', report[0], {}, TARGET, '', songs=1, seconds=1, seed=0)
  (tmp_path / 'no.key.json').write_text('[]')
  with pytest.raises(InputError, match='is no key'):
    read_key(tmp_path / 'no.key.json')
  with pytest.raises(InputError, match='No such file'):
    read_key(tmp_path / 'nothing')
