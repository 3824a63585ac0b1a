"""`mt3-synth listen`: what it says of bad input; tests/reporting/test_listening.py has what it makes."""

import pytest

from mt3_synth.cli import main


@pytest.mark.parametrize(
  ('options', 'says'),
  [
    (['--songs', '0'], '--songs 0'),
    (['--seconds', '100'], '--seconds 100'),
    ([], 'media.json: No such file or directory; expected the folder of a report with songs'),
  ],
)
def test_bad_input_is_one_line(tmp_path, capsys, options, says):
  assert main(['listen', str(tmp_path), '--out', str(tmp_path / 'test'), *options]) == 2
  assert says in capsys.readouterr().err
  assert not (tmp_path / 'test').exists()


def test_a_damaged_list_of_songs_is_told(tmp_path, capsys):
  (tmp_path / 'media').mkdir()
  (tmp_path / 'media' / 'media.json').write_text('{"song": {}}')
  assert main(['listen', str(tmp_path), '--out', str(tmp_path / 'test')]) == 2
  assert 'damaged; make the report again' in capsys.readouterr().err
