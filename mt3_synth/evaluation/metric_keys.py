"""The keys that values are kept under, and what they mean."""

import re
from typing import Literal, NamedTuple

Better = Literal['lower', 'higher', 'nearer 0']


class Metric(NamedTuple):
  """What a value is.

  Attributes:
    label: for a table's head.
    unit: empty where it has none.
    better: which way is better.
    pooled: whether it is of all songs together, and no mean over songs.
  """

  label: str
  unit: str
  better: Better
  pooled: bool = False


_FIXED = {
  'mel_l1': Metric('mel L1', 'ln', 'lower'),
  'mr_stft': Metric('MR-STFT', '', 'lower'),
  'multi_scale_spectral': Metric('multi-scale spectral', '', 'lower'),
  'loudness_l1': Metric('loudness L1', 'dB', 'lower'),
  'chroma_cosine_distance': Metric('chroma distance', '', 'lower'),
  'onset_error_median_ms': Metric('onset error, median', 'ms', 'nearer 0'),
  'onset_error_iqr_ms': Metric('onset error, quartiles apart', 'ms', 'lower'),
}
# Keys that name an embedder, or a transcriber and what was compared.
_PATTERNS: tuple[tuple[re.Pattern, str, Better, bool], ...] = (
  (re.compile(r'(.+)_distance'), '{0} distance', 'lower', False),
  (re.compile(r'(.+)_frechet'), '{0} Fréchet', 'lower', True),
  (re.compile(r'(.+)_frechet_paper'), '{0} Fréchet (paper)', 'lower', True),
  (re.compile(r'(.+)_frechet_infinite'), '{0} Fréchet, n → ∞', 'lower', True),
  (re.compile(r'(.+)_kad'), '{0} KAD', 'lower', True),
  (re.compile(r'transcription_(.+)_precision'), '{0} precision', 'higher', False),
  (re.compile(r'transcription_(.+)_recall'), '{0} recall', 'higher', False),
  (re.compile(r'transcription_(.+)_f1'), '{0} F1', 'higher', False),
)


def describe(key: str) -> Metric:
  """What the values of a key are; a key that is not known is its own label, and the lower the better."""
  if key in _FIXED:
    return _FIXED[key]
  for pattern, label, better, pooled in _PATTERNS:
    match = pattern.fullmatch(key)
    if match:
      return Metric(label.format(match[1].replace('_', ' ')), '', better, pooled)
  return Metric(key.replace('_', ' '), '', 'lower')
