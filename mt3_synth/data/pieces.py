"""Songs as pieces of 256 frames: the examples of a prepared corpus.

A piece holds its own audio and every note that a window beginning in it could need, with its row in the song's list, so that consecutive
pieces join exactly: `join(cut_song(song))` is the song, and a crop of some seconds reads a few pieces of 164 kB whatever the song's length.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mt3_synth.config import MelConfig
from mt3_synth.data.records import decode_example, encode_example
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError
from mt3_synth.notes import Notes
from mt3_synth.notes.aligned import LEAD_FRAMES

PIECE_FRAMES = 256
_MEL = MelConfig()
PIECE_SAMPLES = PIECE_FRAMES * _MEL.hop
LEAD_SECONDS = LEAD_FRAMES / _MEL.frames_per_second  # a note that ended so long before a window may still be told to it

# Columns of the notes on disk.  Times are float64: they must round to the same step as in the song.
COLUMNS = {'onset': np.float64, 'offset': np.float64, 'pitch': np.uint8, 'velocity': np.uint8, 'program': np.uint8, 'is_drum': np.uint8}
ROW = 'row'


@dataclass(frozen=True)
class Piece:
  """One example of a prepared corpus.

  Attributes:
    song_id: unique in its corpus and split.
    index: its position in the song; it begins at sample `index * PIECE_SAMPLES`.
    song_samples: length of the whole song at 16 kHz.
    audio: int16, PIECE_SAMPLES of them but in the last piece.
    notes: those that sound in it or ended less than LEAD_SECONDS before it, in the song's order, with the song's times.
    rows: int32, where those stand in the song's list of notes.
    corpus, licence: where it is from.
  """

  song_id: str
  index: int
  song_samples: int
  audio: np.ndarray
  notes: Notes
  rows: np.ndarray
  corpus: str
  licence: str

  @property
  def id(self) -> str:
    return f'{self.song_id}/{self.index:05d}'


@dataclass(frozen=True)
class Excerpt:
  """Consecutive pieces, joined; a whole song where all are.

  Attributes:
    song: audio from `first_frame` on; notes with the song's times.
    first_frame: where the audio begins in the song.
    song_frames: length of the whole song.
  """

  song: Song
  first_frame: int
  song_frames: int

  @property
  def frames(self) -> int:
    return -(-len(self.song.audio) // _MEL.hop)


def whole(song: Song) -> Excerpt:
  """A song as an excerpt of itself."""
  return Excerpt(song, 0, frames_of(len(song.audio)))


def frames_of(samples: int) -> int:
  return -(-samples // _MEL.hop)


def pieces_of(samples: int) -> int:
  """How many pieces a song of so many samples has."""
  return -(-samples // PIECE_SAMPLES)


def cut_song(song: Song) -> list[Piece]:
  """The pieces of a song, in order.  Notes that start at or after the end of its audio are in none of them.

  Raises:
    InputError: the song has no audio.
  """
  if not len(song.audio):
    raise InputError(f'{song.name}: has no audio')
  notes, pieces = song.notes, []
  for index in range(pieces_of(len(song.audio))):
    first = index * PIECE_SAMPLES
    start, end = first / _MEL.sample_rate, min(first + PIECE_SAMPLES, len(song.audio)) / _MEL.sample_rate
    rows = np.flatnonzero((notes.onset < end) & (np.maximum(notes.offset, notes.onset) >= start - LEAD_SECONDS))
    audio = song.audio[first : first + PIECE_SAMPLES]
    piece = Piece(song.name, index, len(song.audio), audio, notes.select(rows), rows.astype(np.int32), song.corpus, song.licence)
    pieces.append(piece)
  return pieces


def join(pieces: Sequence[Piece]) -> Excerpt:
  """Consecutive pieces of one song as one excerpt.

  Raises:
    InputError: they are of different songs or do not follow one another.
  """
  first = pieces[0]
  for number, piece in enumerate(pieces):
    if (piece.song_id, piece.index) != (first.song_id, first.index + number):
      raise InputError(f'piece {piece.id} does not follow {pieces[number - 1].id}; prepare the corpus again')
  rows = np.concatenate([piece.rows for piece in pieces])
  _, kept = np.unique(rows, return_index=True)
  notes = Notes(*(np.concatenate([getattr(piece.notes, each.name) for piece in pieces])[kept] for each in fields(Notes)))
  song = Song(first.song_id, notes, np.concatenate([piece.audio for piece in pieces]), first.corpus, first.licence)
  return Excerpt(song, first.index * PIECE_FRAMES, frames_of(first.song_samples))


def encode_piece(piece: Piece, sequence: bytes = b'') -> bytes:
  """A piece as a record.

  Args:
    piece: what to write.
    sequence: its notes as a serialized NoteSequence, for those who read that.
  """
  columns: dict[str, Any] = {f'notes/{name}': _bytes(getattr(piece.notes, name), dtype) for name, dtype in COLUMNS.items()}
  columns |= {
    f'notes/{ROW}': _bytes(piece.rows, np.int32),
    'id': piece.id,
    'song_id': piece.song_id,
    'index': piece.index,
    'song_samples': piece.song_samples,
    'audio': _bytes(piece.audio, np.int16),
    'sequence': sequence,
    'corpus': piece.corpus,
    'licence': piece.licence,
  }
  return encode_example(columns)


def decode_piece(record: bytes, source: str = 'record') -> Piece:
  """Reads what `encode_piece` wrote.

  Raises:
    InputError: the record is damaged or of another kind; `source` is named.
  """
  features: Any = decode_example(record, source)
  try:
    notes = Notes(**{name: np.frombuffer(features[f'notes/{name}'][0], dtype) for name, dtype in COLUMNS.items()})
    return Piece(
      song_id=features['song_id'][0].decode(),
      index=int(features['index'][0]),
      song_samples=int(features['song_samples'][0]),
      audio=np.frombuffer(features['audio'][0], np.int16),
      notes=notes,
      rows=np.frombuffer(features[f'notes/{ROW}'][0], np.int32),
      corpus=features['corpus'][0].decode(),
      licence=features['licence'][0].decode(),
    )
  except (KeyError, IndexError, ValueError) as e:
    raise InputError(f'{source}: no piece of a song ({type(e).__name__}: {e}); prepare the corpus again') from None


def _bytes(values: np.ndarray, dtype) -> bytes:
  return np.ascontiguousarray(values, np.dtype(dtype).newbyteorder('<')).tobytes()
