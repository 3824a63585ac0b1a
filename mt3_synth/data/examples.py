"""A crop of a song, or of some pieces of it, as the arrays a training step takes: notes, int16 audio of the target and of the context.

The mel spectrogram is computed on the accelerator (`mt3_synth.training.step`): the host only slices.
"""

from typing import Any

import numpy as np

from mt3_synth.audio.mel import cut
from mt3_synth.config import ModelConfig
from mt3_synth.data.pieces import PIECE_FRAMES, Excerpt
from mt3_synth.notes import encode_segments, song_events
from mt3_synth.notes.aligned import aligned_notes
from mt3_synth.notes.tokenize import TooLong


def pieces_around(config: ModelConfig) -> tuple[int, int]:
  """How many pieces before and after the one a target starts in hold all that its example needs, wherever in it the target starts."""
  network = config.network
  return -(-network.context_frames // PIECE_FRAMES), -(-network.target_frames // PIECE_FRAMES)


class Crops:
  """Crops of one excerpt; what does not depend on the crop is computed once."""

  def __init__(self, excerpt: Excerpt, config: ModelConfig):
    self.excerpt = excerpt
    self.config = config
    self.events = song_events(excerpt.song.notes, config.notes) if config.network.conditioning == 'tokens' else None

  def crop(self, start: int, too_long: TooLong = 'thin') -> dict[str, Any]:
    """The example whose target starts at frame `start` of the song.

    Args:
      start: a frame of the song, such that the excerpt holds the example.
      too_long: as for `encode_segments`; aligned notes that do not fit are always left out.

    Returns:
      notes: tokens int32 [N], or a dict of aligned notes [M].
      audio: int16 samples behind T frames; `frames` of them lie within the song.
      context_audio: int16 samples behind C frames; the first `context_frames` are those right before the target.  Neither where C is 0.
    """
    network, mel, excerpt = self.config.network, self.config.mel, self.excerpt
    before, here = min(start, network.context_frames), start - excerpt.first_frame
    audio = excerpt.song.audio
    example = {
      'notes': self._notes(start, too_long),
      'audio': cut(audio, here, network.target_frames, mel),
      'frames': np.int32(min(network.target_frames, excerpt.song_frames - start)),
    }
    if network.context_frames:
      example['context_audio'] = cut(audio, here - before, network.context_frames, mel)
      example['context_frames'] = np.int32(before)
    return example

  def _notes(self, start, too_long) -> Any:
    network, mel = self.config.network, self.config.mel
    if self.events is not None:
      rows = encode_segments(self.events, np.array([start]), network.target_frames, length=network.note_length, too_long=too_long, mel=mel)
      return rows[0]
    return aligned_notes(self.excerpt.song.notes, start, network.target_frames, self.config.notes, size=network.note_length, mel=mel)
