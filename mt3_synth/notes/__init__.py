"""MIDI -> notes -> token ids or aligned notes; numpy only."""

from mt3_synth.notes.codec import EOS, PAD, UNK, Codec, num_frames
from mt3_synth.notes.midi import read_midi, write_midi
from mt3_synth.notes.note_list import Notes, concatenate
from mt3_synth.notes.programs import map_programs
from mt3_synth.notes.tokenize import SongEvents, count_tokens, encode_segments, encode_song, song_events

__all__ = [
  'EOS',
  'PAD',
  'UNK',
  'Codec',
  'Notes',
  'SongEvents',
  'concatenate',
  'count_tokens',
  'encode_segments',
  'encode_song',
  'map_programs',
  'num_frames',
  'read_midi',
  'song_events',
  'write_midi',
]
