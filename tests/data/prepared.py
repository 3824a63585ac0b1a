"""Small prepared corpora on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue]

from mt3_synth.data.pieces import cut_song, encode_piece
from mt3_synth.data.prepared import SongRow, songs_file, write_songs
from mt3_synth.data.songs import Song


def write_prepared(folder: Path, songs: Mapping[str, Sequence[Song]], shards: int = 2, corpus: str = 'tiny') -> Path:
  """split -> its songs, dealt to files in turn of contiguous runs."""
  folder.mkdir(parents=True)
  for split, of_split in songs.items():
    rows, size = [], -(-len(of_split) // shards)
    for shard in range(shards):
      path = folder / f'{corpus}-{split}.array_record-{shard:05d}-of-{shards:05d}'
      writer = array_record_module.ArrayRecordWriter(str(path), 'group_size:1,uncompressed')
      for song in of_split[shard * size : (shard + 1) * size]:
        pieces = cut_song(song)
        rows.append(SongRow(song.name, len(pieces), len(song.audio), len(song.notes)))
        for piece in pieces:
          writer.write(encode_piece(piece))
      writer.close()
    write_songs(songs_file(folder, split), rows)
  return folder
