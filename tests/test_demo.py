"""The demonstration, end to end, with as little training as there can be."""

import pytest

from mt3_synth.cli import main
from mt3_synth.data.songs import EMBEDDED


@pytest.mark.slow
def test_the_page_holds_everything(tmp_path, capsys):
  midi = next((EMBEDDED / 'test').glob('*/all_src.mid'))
  assert main(['demo', '--out', str(tmp_path / 'demo'), '--steps', '30', '--midi', str(midi)]) == 0
  printed = capsys.readouterr().out
  for row in ('untrained', 'per-band mean spectrogram', 'trained for these minutes', 'demonstration checkpoint'):
    assert row in printed
  page = (tmp_path / 'demo' / 'index.html').read_text()
  assert page.count('<audio') == 3 * 3 + 1
  assert 'http' not in page.replace('http-equiv', '')


def test_a_bad_midi_file_is_found_before_training(tmp_path, capsys):
  (tmp_path / 'no.mid').write_text('not a MIDI file')
  assert main(['demo', '--out', str(tmp_path / 'demo'), '--midi', str(tmp_path / 'no.mid')]) == 2
  assert 'no.mid' in capsys.readouterr().err
  assert not (tmp_path / 'demo').exists()
