"""The columns of a report: what evaluations have, and what a report adds to it."""

import re
from dataclasses import dataclass
from typing import Literal

from mt3_synth.evaluation.metric_keys import describe


@dataclass(frozen=True)
class Measure:
  """One column.

  Attributes:
    key: as evaluations have it.
    label: for people.
    unit: '' where there is none.
    better: which way; '' where neither is.
    group: of columns that are shown together.
    explains: one sentence.
    pooled: of all songs' windows together, so no song has it.
  """

  key: str
  label: str
  unit: str
  better: Literal['lower', 'higher', 'nearer 0', '']
  group: str
  explains: str
  pooled: bool = False


GROUPS = (LISTENING, SPECTRAL, DISTRIBUTION, MUSICAL, TRANSCRIPTION, OTHER, COST) = (
  'Listening', 'Spectral', 'Embeddings', 'Musical', 'Transcription', 'Other', 'Speed and cost',
)  # fmt: skip
HEADLINES = (
  r'rating', r'mel_l1', r'mr_stft', r'.+_distance', r'.+_frechet', r'.+_kad', r'transcription_.+_onset_f1', r'spectrogram_seconds',
)  # fmt: skip  # of the table's first view

RATING = Measure('rating', 'rating', '0–100', 'higher', LISTENING, 'Mean rating of the blind listening test.')
SPECTROGRAM_SPEED = Measure(
  'spectrogram_seconds', 'model time', 's per s', 'lower', COST, 'Seconds that the spectrogram model takes for a second of audio.'
)
INVERTER_SPEED = Measure('inverter_seconds', 'inverter time', 's per s', 'lower', COST, 'Seconds that the inverter takes for one of audio.')
PARAMETERS = Measure('parameters', 'parameters', 'million', '', COST, 'Of the spectrogram model.')
TRAINING = Measure('training_minutes', 'training', 'min', '', COST, 'Minutes that training took; of several seeds their mean.')
_OWN = {each.key: each for each in (RATING, SPECTROGRAM_SPEED, INVERTER_SPEED, PARAMETERS, TRAINING)}

# By pattern of the key: the group, and a sentence.
_EXPLAINED = (
  (r'mel_l1', SPECTRAL, 'Mean absolute difference of the log-mel spectrograms.'),
  (r'mr_stft', SPECTRAL, 'Spectral convergence and log magnitude, at three resolutions.'),
  (r'multi_scale_spectral', SPECTRAL, 'Magnitudes and their logarithms, at six resolutions.'),
  (r'loudness_l1', MUSICAL, 'Mean absolute difference of A-weighted loudness.'),
  (r'chroma_cosine_distance', MUSICAL, 'Cosine distance of 12-bin chroma: do the harmonies agree?'),
  (r'onset_error_median_ms', MUSICAL, 'Median error of matched onsets; positive is late.'),
  (r'onset_error_iqr_ms', MUSICAL, 'Interquartile range of the errors of matched onsets.'),
  (r'(.+)_distance', DISTRIBUTION, 'Mean distance between paired embeddings ({0}), a mean over songs.'),
  (r'(.+)_frechet_infinite', DISTRIBUTION, 'Fréchet distance ({0}), extrapolated to infinitely many windows.'),
  (r'(.+)_frechet_paper', DISTRIBUTION, 'Fréchet distance ({0}) in the published convention.'),
  (r'(.+)_frechet', DISTRIBUTION, 'Fréchet distance of the embeddings of all songs ({0}); biased upwards where windows are few.'),
  (r'(.+)_kad', DISTRIBUTION, 'Kernel distance of the embeddings of all songs ({0}), unbiased: it may be below 0.'),
  (r'transcription_(.+)_(precision|recall|f1)', TRANSCRIPTION, 'How well a transcriber hears the notes: {1}, {0}.'),
)


def measure(key: str) -> Measure:
  """What `key` means."""
  if key in _OWN:
    return _OWN[key]
  metric = describe(key)
  for pattern, group, explains in _EXPLAINED:
    if found := re.fullmatch(pattern, key):
      words = [word.replace('_', ' ') for word in found.groups()]
      return Measure(key, metric.label, metric.unit, metric.better, group, explains.format(*words), metric.pooled)
  return Measure(key, metric.label, metric.unit, metric.better, OTHER, '', metric.pooled)


def is_better(measure: Measure, difference: float) -> bool | None:
  """Whether a value that is higher by `difference` is better; None where its sign does not say."""
  if measure.better not in ('lower', 'higher') or not difference:
    return None
  return (difference < 0) == (measure.better == 'lower')


def in_order(measures: list[Measure]) -> list[Measure]:
  """By group; within a group as they came."""
  return sorted(measures, key=lambda each: GROUPS.index(each.group))


def is_headline(measure: Measure) -> bool:
  """Whether the first view of the table has it."""
  return any(re.fullmatch(pattern, measure.key) for pattern in HEADLINES)
