import json

import pytest

from mt3_synth.errors import InputError
from mt3_synth.pages.assemble import as_script, escaped, fill, page_text, write_whole


def test_values_are_put_in_once_and_not_looked_into():
  assert fill('<p>{{a}}</p>{{b}}', {'a': '{{b}}', 'b': 'c'}) == '<p>{{b}}</p>c'
  with pytest.raises(KeyError):
    fill('{{nothing}}', {})


def test_data_cannot_end_its_script():
  data = {'name': '</script><script>alert(1)</script>'}
  assert '<' not in as_script(data)
  assert json.loads(as_script(data)) == data
  with pytest.raises(ValueError, match='JSON'):
    as_script(float('nan'))


def test_text_is_no_markup():
  assert escaped('<a href="x">&') == '&lt;a href=&quot;x&quot;&gt;&amp;'


def test_files_follow_each_other():
  assert page_text('theme.css', 'demo.css') == page_text('theme.css') + '\n' + page_text('demo.css')


def test_a_page_appears_whole_or_not_at_all(tmp_path):
  assert write_whole(tmp_path / 'a.html', 'é').read_text(encoding='utf-8') == 'é'
  with pytest.raises(InputError, match='nowhere.*cannot be written'):
    write_whole(tmp_path / 'nowhere' / 'a.html', '')
  assert [file.name for file in tmp_path.iterdir()] == ['a.html']
