"""Where the reference data lie: beside the checkout; checks against them are skipped where they are absent."""

import pathlib

import pytest

SHARED = pathlib.Path(__file__).resolve().parents[2] / 'shared'


@pytest.fixture(scope='session')
def shared() -> pathlib.Path:
  if not SHARED.is_dir():
    pytest.skip(f'reference data not found: expected {SHARED} with golden/, fixtures/ and midi/')
  return SHARED


@pytest.fixture(scope='session')
def golden(shared) -> pathlib.Path:
  return shared / 'golden'
