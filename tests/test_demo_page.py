import base64
import html.parser
import pathlib

import numpy as np
import pytest

from mt3_synth.audio.files import write_audio
from mt3_synth.demo_page import Piece, write_page
from mt3_synth.errors import InputError


class Reader(html.parser.HTMLParser):
  """The elements of a page, what they refer to, and its text; fails on tags that don't match."""

  def __init__(self, page: pathlib.Path):
    super().__init__()
    self.open, self.links, self.tags, self.text = [], [], [], ''
    self.feed(page.read_text())
    assert self.open == []

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.links += [value for name, value in attrs if name in ('src', 'href')]
    if tag not in ('meta', 'img'):
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open and self.open[-1] not in ('style', 'script'):
      self.text += data + '\n'


@pytest.fixture
def files(tmp_path):
  (tmp_path / 'audio').mkdir()
  (tmp_path / 'roll & mel.png').write_bytes(b'\x89PNG')
  write_audio(tmp_path / 'audio' / 'target.flac', np.zeros(160, np.int16))
  return tmp_path


def piece(folder, name='Étude <1>'):
  return Piece(
    name,
    pictures={'Notes': folder / 'roll & mel.png'},
    audio={'Target': folder / 'audio' / 'target.flac'},
    facts={'trained for': '2 min', 'device': 'CPU'},
    text='Played "softly".',
  )


def test_the_page_refers_only_to_files_beside_it(files):
  page = write_page(files / 'index.html', 'A demo', [piece(files)], loss_picture=files / 'roll & mel.png')
  seen = Reader(page)
  assert seen.links == ['roll%20%26%20mel.png', 'audio/target.flac', 'roll%20%26%20mel.png']
  assert seen.tags.count('audio') == 1
  assert 'http' not in page.read_text()
  assert sorted(each.name for each in files.iterdir()) == ['audio', 'index.html', 'roll & mel.png']


def test_all_text_is_shown_and_none_is_markup(files):
  evil = '<script>alert("1")</script>'
  page = write_page(
    files / 'index.html',
    evil + '{body}',
    [piece(files, evil), Piece('{body}', facts={evil: evil}, text=evil)],
    introduction=f'{evil}\n\nsecond',
    facts={'seed': 0},
    results=[{evil: evil}],
  )
  seen = Reader(page)
  assert seen.tags.count('script') == 1  # the page's own
  assert seen.tags.count('p') == 4
  assert seen.text.count(evil) == 9  # also in <title>
  assert seen.text.count('{body}') == 3


def test_the_table_has_the_columns_of_all_rows(files):
  page = write_page(files / 'index.html', 'T', results=[{'model': 'tiny', 'mel L1': 0.123456}, {'model': 'base', 'steps': 1000}])
  assert Reader(page).text.split()[-10:] == ['model', 'mel', 'L1', 'steps', 'tiny', '0.1235', '–', 'base', '–', '1000']
  assert '<td class=number>0.1235</td>' in page.read_text()


def test_an_embedded_page_stands_alone(files):
  (files / 'elsewhere').mkdir()
  page = write_page(files / 'elsewhere' / 'one.html', 'A demo', [piece(files)], embed=True)
  audio, picture = Reader(page).links
  assert picture == 'data:image/png;base64,' + base64.b64encode(b'\x89PNG').decode()
  assert audio.startswith('data:audio/flac;base64,')


def test_what_cannot_be_shown_says_why(files):
  with pytest.raises(InputError, match='none.png: no such file'):
    write_page(files / 'index.html', 'T', loss_picture=files / 'none.png')
  with pytest.raises(InputError, match='outside the folder of the page'):
    write_page(files / 'audio' / 'index.html', 'T', [piece(files)])
  with pytest.raises(InputError, match='cannot be written'):
    write_page(files / 'nowhere' / 'index.html', 'T')
  assert not (files / 'index.html').exists()
