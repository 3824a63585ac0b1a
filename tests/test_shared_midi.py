"""Every reference MIDI file is played from end to end."""

import numpy as np
import pytest

from mt3_synth.inverter.griffin_lim import GriffinLim
from mt3_synth.notes import read_midi
from mt3_synth.pipeline import SpectrogramDiffusionPipeline


@pytest.mark.slow
def test_all_reference_files_play_for_their_length(shared):
  pipeline = SpectrogramDiffusionPipeline.from_pretrained(inverter=GriffinLim(iterations=2))
  segment = pipeline.config.network.target_frames * pipeline.config.mel.hop / pipeline.config.mel.sample_rate
  files = sorted((shared / 'midi').glob('*.mid'))
  assert len(files) >= 50
  for file in files:
    output = pipeline(file, num_inference_steps=1)
    seconds = output.audios.shape[1] / output.sample_rate
    assert abs(seconds - read_midi(file).duration) <= segment, file.name
    assert np.isfinite(output.audios).all(), file.name
    assert np.abs(output.audios).max() > 0.01, file.name
