"""A crop of a song as the arrays a training step takes: notes, int16 audio of the target and of the context before it.

The mel spectrogram is computed on the accelerator (`mt3_synth.training.step`): the host only slices.
"""

from typing import Any

import numpy as np

from mt3_synth.audio.mel import cut
from mt3_synth.config import ModelConfig
from mt3_synth.data.songs import Song
from mt3_synth.notes import encode_segments, song_events
from mt3_synth.notes.aligned import aligned_notes


class SongCrops:
  """Crops of one song; what does not depend on the crop is computed once."""

  def __init__(self, song: Song, config: ModelConfig):
    self.song = song
    self.config = config
    self.frames = -(-len(song.audio) // config.mel.hop)
    self.events = song_events(song.notes, config.notes) if config.network.conditioning == 'tokens' else None

  def crop(self, start: int) -> dict[str, Any]:
    """The example whose target starts at frame `start`.

    Returns:
      notes: tokens int32 [N], or a dict of aligned notes [M].
      audio: int16 samples behind T frames; `frames` of them lie within the song.
      context_audio: int16 samples behind C frames; the first `context_frames` are those right before the target.
    """
    network, mel = self.config.network, self.config.mel
    before = min(start, network.context_frames)
    return {
      'notes': self._notes(start),
      'audio': cut(self.song.audio, start, network.target_frames, mel),
      'frames': np.int32(min(network.target_frames, self.frames - start)),
      'context_audio': cut(self.song.audio, start - before, network.context_frames, mel),
      'context_frames': np.int32(before),
    }

  def _notes(self, start: int) -> Any:
    network = self.config.network
    if self.events is not None:
      return encode_segments(self.events, np.array([start]), network.target_frames, length=network.note_length, mel=self.config.mel)[0]
    return aligned_notes(self.song.notes, start, network.target_frames, self.config.notes, size=network.note_length, mel=self.config.mel)
