"""Corpora for tests of tasks."""

import pytest

from mt3_synth.data.mixtures import Mixture
from tests.data.prepared import write_prepared
from tests.data.tiny import tiny_song

LENGTHS = {'inputs': 64, 'targets': 16, 'targets_context': 8}
BOTH = {'both': Mixture(('large', 'small/v1'), 10 / 3)}


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory):
  """Two corpora: 60 and 3 visits to train on, and songs of a few segments to evaluate on."""
  root = tmp_path_factory.mktemp('data')
  held_out = [tiny_song(3.03, 'b', 3), tiny_song(1.0, 'a', 4), tiny_song(0.1, 'c', 5)]
  write_prepared(root / 'large' / 'default' / '1.0.0', {'train': [tiny_song(250.0, 'l', 1), tiny_song(55.0, 'm')], 'validation': held_out})
  write_prepared(root / 'small' / 'v1' / '1.0.0', {'train': [tiny_song(15.4, 's', 2)], 'validation': held_out[:1]}, corpus='small')
  return root


@pytest.fixture
def registry(monkeypatch):
  """SeqIO's registries, empty during a test."""
  import seqio

  monkeypatch.setattr(seqio.TaskRegistry, '_REGISTRY', {})
  monkeypatch.setattr(seqio.MixtureRegistry, '_REGISTRY', {})
