import pytest

from mt3_synth.evaluation.metric_keys import Metric, describe


@pytest.mark.parametrize(
  ('key', 'metric'),
  [
    ('mel_l1', Metric('mel L1', 'ln', 'lower')),
    ('chroma_cosine_distance', Metric('chroma distance', '', 'lower')),
    ('vggish_distance', Metric('vggish distance', '', 'lower')),
    ('vggish_frechet', Metric('vggish Fréchet', '', 'lower', pooled=True)),
    ('vggish_frechet_paper', Metric('vggish Fréchet (paper)', '', 'lower', pooled=True)),
    ('logmel_stats_kad', Metric('logmel stats KAD', '', 'lower', pooled=True)),
    ('transcription_basic_pitch_flat_onset_f1', Metric('basic pitch flat onset F1', '', 'higher')),
    ('new', Metric('new', '', 'lower')),
  ],
)
def test_a_key_says_what_it_is(key, metric):
  assert describe(key) == metric
