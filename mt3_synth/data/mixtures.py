"""Several corpora as one: which, and how often each is drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mt3_synth.errors import InputError


@dataclass(frozen=True)
class Mixture:
  """Corpora that are trained on together.

  Attributes:
    corpora: their folders under the one where prepared corpora lie.
    temperature: of `rates`.
  """

  corpora: tuple[str, ...]
  temperature: float


MIXTURES = {
  # All that the published multi-instrument models were trained on (MT3, ISMIR 2022, section 3.2, for the temperature).
  'mega': Mixture(('maestro/v3', 'guitarset', 'urmp', 'musicnet', 'cerberus4', 'slakh2100'), 10 / 3),
}


def expand(corpora: Sequence[str], temperature: float | None = None) -> Mixture:
  """Names of corpora and mixtures -> the corpora.

  Args:
    corpora: each a corpus or a name of `MIXTURES`.
    temperature: where None, that of the mixture if one is named and nothing else; 1, in proportion to length, otherwise.

  Raises:
    InputError: there are none, or one is there twice.
  """
  each = [single for name in corpora for single in (MIXTURES[name].corpora if name in MIXTURES else (name,))]
  twice = sorted({name for name in each if each.count(name) > 1})
  if twice:
    raise InputError(f'corpus {twice[0]!r} is named twice; name each once')
  if not each:
    raise InputError('no corpora; name at least one, e.g. CORPORA = ("embedded",)')
  if temperature is None:
    temperature = MIXTURES[corpora[0]].temperature if len(corpora) == 1 and corpora[0] in MIXTURES else 1.0
  return Mixture(tuple(each), temperature)


def rates(counts: Sequence[int], temperature: float = 1.0, maximum: int = 0) -> np.ndarray:
  """How often to draw from each corpus (mT5, NAACL 2021, section 3.1: large corpora less often than in proportion).

  Args:
    counts: examples of each, at least 1.
    temperature: 1 is in proportion to the counts; the higher, the more even.
    maximum: counts above it are taken for it; 0 for no such limit.

  Returns:
    float64 [corpora], summing to 1, each in proportion to count^(1 / temperature).

  Raises:
    InputError: the temperature is not above 0, or the maximum is negative.
  """
  if not temperature > 0:
    raise InputError(f'temperature is {temperature}, expected a number above 0')
  if maximum < 0:
    raise InputError(f'the maximum number of examples is limited to {maximum}, expected 0 (no limit) or more')
  limited = np.minimum(counts, maximum) if maximum else np.asarray(counts)
  weights = limited.astype(float) ** (1 / temperature)
  return weights / weights.sum()
