"""MIDI files to token rows in one call, for those who know it from diffusers."""

from typing import Any

from mt3_synth.config import NotesConfig
from mt3_synth.notes.midi import read_midi
from mt3_synth.notes.tokenize import encode_song, song_events

PUBLISHED = NotesConfig(programs='slakh_classes')  # the tokens of the published checkpoints
FRAMES, LENGTH = 256, 2048  # of a published segment, and of its row


class MidiProcessor:
  """`MidiProcessor()('song.mid')` is a list of rows, one for each segment of 5.12 s, as the published checkpoints read them.

  A model of other tokens or segments has its own: `MidiProcessor(pipe.config.notes, pipe.config.network.target_frames)`.
  """

  def __init__(self, config: NotesConfig = PUBLISHED, frames: int = FRAMES, length: int = LENGTH):
    self.config, self.frames, self.length = config, frames, length

  def __call__(self, midi: Any) -> list[list[int]]:
    """Rows of `length` token ids, each ended by 1 and padded with 0.

    Args:
      midi: a path, or the bytes of a MIDI file.

    Raises:
      InputError: it can't be read.

    Warns:
      InputWarning: a segment has more notes than fit; the faintest are left out.
    """
    return encode_song(song_events(read_midi(midi), self.config), frames=self.frames, length=self.length).tolist()
