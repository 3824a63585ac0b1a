"""The report, clicked in a real browser, from disk and offline."""

import pytest

from mt3_synth.cli import main
from tests.reporting.evaluations import write_evaluation_of_tones


@pytest.fixture(scope='module')
def report(tmp_path_factory):
  root = tmp_path_factory.mktemp('report')
  folders = [write_evaluation_of_tones(root / name, name, songs=3, seconds=3, error=error) for name, error in (('AR', 0.1), ('DDPM', 0.02))]
  assert main(['report', *map(str, folders), '--out', str(root / 'out'), '--draws', '100', '--songs', '2']) == 0
  return root / 'out' / 'index.html'


def texts(page, selector):
  return page.locator(selector).all_inner_texts()


def test_the_table_sorts_worst_first(open_page, report):
  page = open_page(report)
  systems = lambda: [text.split('\n')[0] for text in texts(page, '.results tbody th')]
  assert systems() == ['ground truth', 'ground truth, inverted', 'AR', 'DDPM']
  head = page.locator('.results [data-key="mel_l1"]')
  head.click()
  worst_first = systems()
  assert worst_first[0] == 'AR'
  assert worst_first[-1] == 'ground truth'
  assert 'worst first' in head.inner_text()
  head.press('Enter')  # it kept the focus
  assert systems() == [*worst_first[2::-1], 'ground truth']  # which has no value
  page.get_by_role('button', name='Transcription').click()
  page.locator('.results [data-key="transcription_basic_pitch_onset_f1"]').click()
  assert systems()[0] == 'AR'
  assert '✓' in page.locator('.results tr', has_text='DDPM').inner_text()
  assert 'better in' in page.locator('.verdicts').inner_text()


def test_the_warnings_are_there(open_page, report):
  warnings = ' '.join(texts(open_page(report), '.warning'))
  assert '3 songs: intervals from so few' in warnings


def test_songs_sort_and_are_found(open_page, report):
  page = open_page(report)
  names = lambda: [text.split(' 0:')[0] for text in texts(page, '.song-name')]
  worst = names()
  page.get_by_label('Order').select_option('best')
  assert names() == worst[::-1]
  page.get_by_label('Find').fill('tune 1')
  assert names() == ['group/tune 1']
  page.get_by_label('Find').fill('nothing')
  assert page.get_by_text('No song has such a name.').is_visible()


def test_one_player_goes_on_where_the_other_was(open_page, report):
  page = open_page(report)
  page.locator('.song-head').first.click()
  song = page.locator('.song').first
  assert song.locator('.strip img').count() == 5
  page.wait_for_function('[...document.querySelectorAll(".song .strip img")].every(image => image.complete && image.naturalWidth > 0)')
  song.locator('.play').click()
  page.wait_for_function('[...open.values()][0].time > 0.3')
  page.keyboard.press('4')
  assert song.locator('.choice').get_by_role('button', pressed=True).get_attribute('data-system') == 'DDPM'
  assert page.evaluate('(p => [p.playing, p.time > 0.25, p.audio.filter(each => !each.paused).length])([...open.values()][0])') == [
    True,
    True,
    1,
  ]
  before = page.evaluate('[...open.values()][0].time')
  page.wait_for_function(f'[...open.values()][0].time > {before} + 0.2')
  page.locator('.song-head').first.focus()
  page.keyboard.press('Space')
  assert not page.evaluate('[...open.values()][0].playing')
  song.locator('.choice button').first.focus()
  page.keyboard.press('Space')  # it is switched to, and does not play
  assert page.evaluate('(p => [p.playing, p.current])([...open.values()][0])') == [False, 0]
  page.keyboard.press('Space')
  assert page.evaluate('[...open.values()][0].playing')
  page.keyboard.press('Space')
  strip = song.locator('.strip.mel').nth(2)
  strip.click(position={'x': strip.bounding_box()['width'] / 2, 'y': 20})
  assert page.evaluate('[...open.values()][0].time') == pytest.approx(1.5, abs=0.05)
  assert song.locator('.sounding .strip-label').inner_text() == 'AR'


def test_charts_follow_the_measure_and_open_songs(open_page, report):
  page = open_page(report)
  charts = page.locator('#charts')
  assert charts.locator('#chart-bars rect').count() == 3
  charts.get_by_label('Measure').select_option('logmel_stats_frechet')
  assert charts.locator('#chart-bars rect').count() == 3
  assert 'of all songs together' in charts.locator('#chart-by-song').inner_text()
  charts.get_by_label('Measure').select_option('mr_stft')
  point = charts.locator('#chart-by-song circle').first
  song = int(point.get_attribute('data-song'))
  point.click()
  assert page.locator(f'#song-{song} .song-body').is_visible()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_a_phone_shows_it_without_scrolling_sideways(open_page, report, scheme):
  page = open_page(report, width=390, scheme=scheme)
  page.locator('.song-head').first.click()
  assert page.evaluate('document.documentElement.scrollWidth') == 390
  before = page.evaluate('getComputedStyle(document.body).backgroundColor')
  page.get_by_label('Light or dark').click()
  after = page.evaluate('getComputedStyle(document.body).backgroundColor')
  assert {before, after} == {'rgb(251, 250, 248)', 'rgb(20, 20, 22)'}
  assert (before == 'rgb(20, 20, 22)') == (scheme == 'dark')
  page.reload()
  assert page.evaluate('getComputedStyle(document.body).backgroundColor') == after  # it is remembered


@pytest.mark.parametrize('width', [390, pytest.param(1280, marks=pytest.mark.slow)])
def test_many_models_of_long_names_have_a_page(open_page, tmp_path, width):
  names = [f'model=ddpm_context, conditioning=aligned, size={k}' for k in range(8)]
  folders = [write_evaluation_of_tones(tmp_path / str(k), name, songs=1, seconds=1, error=0.02) for k, name in enumerate(names)]
  assert main(['report', *map(str, folders), '--out', str(tmp_path / 'out'), '--draws', '100', '--songs', '0']) == 0
  page = open_page(tmp_path / 'out' / 'index.html', width=width)
  assert page.locator('#chart-systems circle').count() == 9
  assert page.locator('#chart-systems .legend .system').count() == 9  # there is no room for all names beside their points
  assert page.evaluate('document.documentElement.scrollWidth') == width


def test_songs_open_by_keys(open_page, report):
  page = open_page(report)
  page.keyboard.press('j')
  page.keyboard.press('j')
  assert page.locator('.song-head[aria-expanded=true]').count() == 2
  assert page.evaluate('document.activeElement === document.querySelectorAll(".song-head")[1]')
