"""MIDI -> notes -> token ids or aligned notes; numpy only."""

from mt3_synth.notes.aligned import aligned_notes, bucket_of
from mt3_synth.notes.codec import EOS, PAD, UNK, Codec, num_frames
from mt3_synth.notes.detokenize import decode_segments
from mt3_synth.notes.midi import read_midi, write_midi
from mt3_synth.notes.note_list import Notes, concatenate
from mt3_synth.notes.note_sequence import from_note_sequence, to_note_sequence
from mt3_synth.notes.programs import map_programs
from mt3_synth.notes.tokenize import SongEvents, count_tokens, encode_segments, encode_song, song_events

__all__ = [
  'EOS',
  'PAD',
  'UNK',
  'Codec',
  'Notes',
  'SongEvents',
  'aligned_notes',
  'bucket_of',
  'concatenate',
  'count_tokens',
  'decode_segments',
  'encode_segments',
  'encode_song',
  'from_note_sequence',
  'map_programs',
  'num_frames',
  'read_midi',
  'song_events',
  'to_note_sequence',
  'write_midi',
]
