"""What the loop is given: chosen by the model's configuration."""

import numpy as np

from mt3_synth.training.learner import make_learner
from mt3_synth.training.spectrogram import EXAMPLES, SpectrogramLearner
from tests.data.tiny import FRAMES, HOP


def test_the_model_s_configuration_chooses(config):
  assert isinstance(make_learner(config), SpectrogramLearner)


def test_examples_are_pictures_and_sound_of_the_same_length_and_the_same_each_time(config, finished):
  learner = make_learner(config)
  first, again = (learner.examples(finished.state) for _ in range(2))
  count = min(EXAMPLES, config.batch_size)
  assert set(first.mels) == set(first.audio) == {f'{n}/{name}' for n in range(count) for name in ('drawn', 'recorded')}
  for name, mel in first.mels.items():
    assert mel.shape[0] <= FRAMES
    assert first.audio[name].shape == (len(mel) * HOP,)
    assert np.isfinite(mel).all()
    np.testing.assert_array_equal(mel, again.mels[name])
