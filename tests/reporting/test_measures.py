import pytest

from mt3_synth.reporting.measures import GROUPS, in_order, is_better, measure


@pytest.mark.parametrize(
  ('key', 'group', 'better', 'pooled'),
  [
    ('mel_l1', 'Spectral', 'lower', False),
    ('chroma_cosine_distance', 'Musical', 'lower', False),
    ('vggish_distance', 'Embeddings', 'lower', False),
    ('vggish_frechet', 'Embeddings', 'lower', True),
    ('transcription_mt3_flat_f1', 'Transcription', 'higher', False),
    ('onset_error_median_ms', 'Musical', 'nearer 0', False),
    ('parameters', 'Speed and cost', '', False),
    ('something_new', 'Other', 'lower', False),
  ],
)
def test_keys_have_a_group_and_a_better_end(key, group, better, pooled):
  found = measure(key)
  assert (found.group, found.better, found.pooled) == (group, better, pooled)


def test_what_is_better():
  assert is_better(measure('mel_l1'), -1)
  assert not is_better(measure('mel_l1'), 1)
  assert is_better(measure('rating'), 1)
  assert is_better(measure('onset_error_median_ms'), -1) is None
  assert is_better(measure('mel_l1'), 0) is None


def test_groups_stay_together():
  keys = ['spectrogram_seconds', 'mel_l1', 'rating', 'mr_stft']
  assert [each.key for each in in_order([measure(key) for key in keys])] == ['rating', 'mel_l1', 'mr_stft', 'spectrogram_seconds']
  assert {measure(key).group for key in keys} <= set(GROUPS)
