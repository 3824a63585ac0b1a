"""Corpora by name, and how often each is drawn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mt3_synth.data.mixtures import MIXTURES, Mixture, expand, rates
from mt3_synth.errors import InputError


def test_rates_are_in_proportion_to_counts_at_temperature_1_and_even_out_above():
  assert_allclose(rates([1, 3]), [0.25, 0.75])
  assert_allclose(rates([1, 16], 2), [0.2, 0.8])
  assert_allclose(rates([1, 10**6], 1e9), [0.5, 0.5], atol=1e-6)
  assert_allclose(rates([10, 30, 1000], maximum=60), [0.1, 0.3, 0.6])
  assert_allclose(rates([1, 64, 10**6], 3, maximum=1000), np.array([1, 4, 10]) / 15)


def test_mega_is_all_six_at_ten_thirds():
  mega = expand(['mega'])
  assert mega == MIXTURES['mega']
  assert len(mega.corpora) == 6
  assert_allclose(mega.temperature, 10 / 3)


def test_mixtures_stand_for_their_corpora():
  assert expand(('a', 'b')) == Mixture(('a', 'b'), 1.0)
  assert expand(('a', 'b'), 2.0).temperature == 2.0
  both = expand(('mega', 'embedded'))
  assert both == Mixture((*MIXTURES['mega'].corpora, 'embedded'), 1.0)


def test_what_can_not_be_is_refused():
  with pytest.raises(InputError, match="corpus 'urmp' is named twice"):
    expand(('mega', 'urmp'))
  with pytest.raises(InputError, match='no corpora; name at least one'):
    expand(())
  with pytest.raises(InputError, match='temperature is 0'):
    rates([1], 0)
  with pytest.raises(InputError, match='limited to -1, expected 0'):
    rates([1], maximum=-1)
