"""A real browser: Chromium of the system, or Playwright's own."""

import shutil

import pytest

HOW = "pip install -c constraints.txt '.[browser]', and Chromium (apt-get install chromium, or: playwright install chromium)"


@pytest.fixture(scope='session')
def browser():
  api = pytest.importorskip('playwright.sync_api', reason=f'Playwright is not installed: {HOW}')
  path = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
  with api.sync_playwright() as playwright:
    try:
      found = playwright.chromium.launch(
        executable_path=path, args=['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required']
      )
    except api.Error as e:
      pytest.skip(f'no browser starts ({str(e).splitlines()[0]}): {HOW}')
    yield found
    found.close()


@pytest.fixture
def open_page(browser):
  """open_page(file, width, dark) -> a page; that its scripts raise nothing is seen at the end."""
  faults, contexts = [], []

  def open_file(file, width=1280, scheme='light', **more):
    context = browser.new_context(viewport={'width': width, 'height': 900}, color_scheme=scheme, offline=True, **more)
    context.set_default_timeout(180_000)  # [ms] other work on the machine makes a page slow, not wrong
    contexts.append(context)
    page = context.new_page()
    page.on('pageerror', lambda error: faults.append(str(error)))
    page.on('console', lambda message: faults.append(message.text) if message.type == 'error' else None)
    page.goto(file.as_uri())
    return page

  yield open_file
  for context in contexts:
    context.close()
  assert faults == []
