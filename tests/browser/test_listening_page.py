"""The blind listening test, taken in a real browser, and its ratings in the report."""

import json

import pytest

from mt3_synth.cli import main
from tests.reporting.evaluations import write_evaluation_of_tones

MARKS = {'ground truth': 100, 'ground truth, inverted': 80, 'DDPM': 60, 'AR': 40, 'low anchor': 10}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  root = tmp_path_factory.mktemp('listening')
  errors = {'AR': 0.1, 'DDPM': 0.02}
  folders = [str(write_evaluation_of_tones(root / name, name, songs=3, seconds=3, error=error)) for name, error in errors.items()]
  assert main(['report', *folders, '--out', str(root / 'report'), '--draws', '100', '--songs', '2']) == 0
  assert main(['listen', str(root / 'report'), '--out', str(root / 'test'), '--songs', '2', '--seconds', '2']) == 0
  return root, folders


def take(page, key, listener, folder):
  """Hears and rates all sounds by `MARKS`; the file that is saved."""
  page.get_by_label('Your name').fill(listener)
  page.get_by_role('button', name='Begin').click()
  while page.locator('#next').count():
    assert page.locator('#next').is_disabled()
    stimuli = page.evaluate('trial.stimuli')
    told = page.evaluate('trial.trial.id')
    for k, stimulus in enumerate(stimuli):
      page.keyboard.press(str(k + 1))
      assert page.locator('.rating').nth(k).get_by_role('button').get_attribute('aria-pressed') == 'true'
      page.evaluate('([k, score]) => trial.rate(k, score)', [k, MARKS[key['trials'][told]['stimuli'][stimulus]]])
    page.locator('#next').click()
  with page.expect_download() as download:
    page.locator('#save').click()
  path = folder / download.value.suggested_filename
  download.value.save_as(path)
  return path


def test_a_listener_goes_through_and_the_report_has_the_ratings(open_page, made, tmp_path):
  root, folders = made
  key = json.loads((root / 'test.key.json').read_text())
  files = [take(open_page(root / 'test' / 'index.html', width=width), key, name, tmp_path) for name, width in (('ann', 1280), ('bob', 390))]
  saved = json.loads(files[0].read_text())
  assert files[0].name == f'ratings-{key["test"]}-ann.json'
  assert len(saved['ratings']) == 10
  assert all(rating['plays'] >= 1 for rating in saved['ratings'])
  options = ['--ratings', *map(str, files), '--ratings_key', str(root / 'test.key.json')]
  assert main(['report', *folders, '--out', str(tmp_path / 'report'), '--draws', '100', '--songs', '0', *options]) == 0
  told = json.loads((tmp_path / 'report' / 'metrics.json').read_text())
  assert {system['name']: system['values']['rating']['value'] for system in told['systems']} == {
    name: mark for name, mark in MARKS.items() if name != 'low anchor'
  }
  assert told['listening']['systems']['low anchor']['value'] == 10
  assert told['listening']['listeners'] == ['ann', 'bob']
  page = open_page(tmp_path / 'report' / 'index.html')
  assert page.locator('.results thead th').nth(1).inner_text().startswith('rating')
  assert '+20' in page.locator('.results tr', has_text='DDPM').locator('td').first.inner_text()


def test_keys_play_rate_and_switch_at_the_same_place(open_page, made):
  page = open_page(made[0] / 'test' / 'index.html')
  page.get_by_label('Your name').fill('keys')
  page.keyboard.press('Enter')
  page.keyboard.press('0')
  page.wait_for_function('trial.player.time > 0.3')
  page.keyboard.press('2')
  assert page.evaluate('[trial.player.playing, trial.player.current, trial.player.time > 0.25]') == [True, 2, True]
  page.keyboard.press('Shift+ArrowRight')
  page.keyboard.press('ArrowLeft')
  assert page.locator('.rating output').all_inner_texts() == ['–', '59', '–', '–', '–']
  page.get_by_label('Rating of D').focus()
  page.keyboard.press('ArrowRight')  # not that of the sound that plays
  assert page.locator('.rating output').all_inner_texts() == ['–', '59', '–', '51', '–']
  page.keyboard.press('Space')
  assert not page.evaluate('trial.player.playing')
  page.get_by_role('button', name='Play C').focus()
  page.keyboard.press('Space')
  assert page.evaluate('[trial.player.playing, trial.player.current]') == [True, 3]
  page.keyboard.press('Space')
  assert not page.evaluate('trial.player.playing')


def test_a_loop_is_kept_to(open_page, made):
  page = open_page(made[0] / 'test' / 'index.html')
  page.get_by_role('button', name='Begin').click()
  page.get_by_label('Loop to').fill('0.5')
  page.keyboard.press('Tab')
  page.locator('.reference').click()
  page.evaluate('latest = 0; trial.player.moved = seconds => { latest = Math.max(latest, seconds); }; 0')
  page.wait_for_timeout(1200)
  assert 0.3 < page.evaluate('latest') < 0.75
  assert page.evaluate('trial.player.playing')


def test_each_listener_has_an_order_of_their_own_and_goes_on_with_it(open_page, made):
  page = open_page(made[0] / 'test' / 'index.html')
  orders = {name: json.dumps(page.evaluate('name => orderOf(name)', name)) for name in ('ann', 'bob', 'cleo')}
  assert len(set(orders.values())) == 3
  assert json.dumps(page.evaluate('orderOf("ann")')) == orders['ann']
  page.get_by_label('Your name').fill('dora')
  page.keyboard.press('Enter')
  page.keyboard.press('1')
  page.keyboard.press('ArrowRight')
  page.reload()
  page.get_by_label('Your name').fill('dora')
  page.keyboard.press('Enter')
  assert page.locator('.rating output').first.inner_text() == '51'
