"""Songs played, measured and written down, some side by side: the part of an evaluation that any machine can do."""

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mt3_synth import playing
from mt3_synth.audio.files import write_audio
from mt3_synth.audio.mel import log_mel_in_blocks, scale
from mt3_synth.compilation import compiling_seconds
from mt3_synth.data.songs import Song
from mt3_synth.data.whole_songs import open_songs
from mt3_synth.errors import InputError
from mt3_synth.evaluation import records
from mt3_synth.evaluation.embedders import choose_embedder
from mt3_synth.evaluation.held_out import song_mel
from mt3_synth.evaluation.measure import Measured, Sound, embed_all, measure, measure_minutes
from mt3_synth.evaluation.records import Context, SongResult
from mt3_synth.notes import write_midi
from mt3_synth.pipeline import BATCH_SIZE, SpectrogramDiffusionPipeline

GROUP = 2  # batches of songs that are read at a time: as one ends, the next takes its place


@dataclass(frozen=True)
class Settings:
  """What was asked for, in plain values: a worker on another machine makes all it needs of them.

  Attributes:
    checkpoint, inverter, device: as the pipeline takes them; its own choice where None.
    corpus, split, data_dir: as `open_songs` takes them.
    context: what segments hear before them.
    sampler: fields of `SamplerConfig` that differ from the model's own.
    seed: of all draws; a song's depend on it and on the song's id.
    batch_size: songs played side by side.
    embedders: as `choose_embedder` takes them.
    per_minute: also measure each minute alone.
    audio: also write the sounds.
    max_seconds: of each song, from its start; all where None.
  """

  checkpoint: str | None
  corpus: str
  split: str
  data_dir: str = ''
  inverter: str | None = None
  device: str | None = None
  context: Context = 'predicted'
  sampler: tuple[tuple[str, Any], ...] = ()
  seed: int = 0
  batch_size: int = BATCH_SIZE
  embedders: tuple[str, ...] = ('logmel_stats',)
  per_minute: bool = False
  audio: bool = True
  max_seconds: float | None = None


class Evaluator:
  """Evaluates songs by their ids, and writes their records into a folder.  Loads the model once."""

  def __init__(self, settings: Settings, folder: Path):
    """Raises InputError: the model, the corpus, an embedder or a setting can't be used."""
    self.settings, self.folder = settings, folder
    self.songs = open_songs(settings.corpus, settings.split, settings.data_dir)
    self.embedders = [choose_embedder(spec) for spec in settings.embedders]
    self.pipeline = SpectrogramDiffusionPipeline.from_pretrained(settings.checkpoint, settings.inverter)
    if settings.device:
      self.pipeline.to(settings.device)
    self.sampling = self.pipeline.sampling(**dict(settings.sampler))
    if settings.context == 'ground_truth' and not self.pipeline.config.network.context_frames:
      raise InputError('context ground_truth: this model hears no context; leave the option out')

  def evaluate(self, ids: Sequence[str]) -> Iterator[SongResult]:
    """Each song's result, when it is done; one that fails says why, and the others go on."""
    size = GROUP * self.settings.batch_size
    for start in range(0, len(ids), size):
      yield from self._group(ids[start : start + size])

  def _group(self, ids: Sequence[str]) -> Iterator[SongResult]:
    songs: list[Song] = []
    for song in ids:
      try:
        songs.append(self._read(song))
      except Exception as e:
        yield self._failed(song, e)
    done: set[str] = set()
    try:
      for result in self._played(songs):
        done.add(result.song)
        yield result
    except Exception as e:
      left = [song for song in songs if song.name not in done]
      for song in left:  # each alone, so that one that can't be played takes no other with it
        try:
          yield from self._played([song]) if len(songs) > 1 else iter([self._failed(song.name, e)])
        except Exception as own:
          yield self._failed(song.name, own)

  def _read(self, song: str) -> Song:
    found = self.songs.read(song)
    if self.settings.max_seconds is None:
      return found
    samples = round(self.settings.max_seconds * self.pipeline.config.mel.sample_rate)
    return replace(found, audio=found.audio[:samples], notes=found.notes.crop(0, self.settings.max_seconds))

  def _score(self, song: Song) -> playing.Score:
    config = self.pipeline.config
    frames = -(-len(song.audio) // config.mel.hop)
    score = playing.score(song.notes, config, total=frames)
    if self.settings.context == 'predicted':
      return score
    heard = np.zeros((0, config.mel.bands), np.float32)
    if self.settings.context == 'ground_truth':
      heard = scale(song_mel(song, config.mel), config.mel)
    return replace(score, past=heard)

  def _played(self, songs: Sequence[Song]) -> Iterator[SongResult]:
    """Plays songs side by side; each is measured as soon as it is whole."""
    if not songs:
      return
    scores = [self._score(song) for song in songs]
    keys = [jax.random.fold_in(jax.random.key(self.settings.seed), zlib.crc32(song.name.encode())) for song in songs]
    mels: list[list[np.ndarray]] = [[] for _ in songs]
    frames, seconds = [0] * len(songs), [0.0] * len(songs)
    segments = self.pipeline.play(scores, self.sampling, keys, self.settings.batch_size)
    for took, at in _timed(segments):
      # The first of a batch waits for all of it.
      batch = [song for song, score in enumerate(scores) if frames[song] < score.frames][: self.settings.batch_size]
      for song in batch:
        seconds[song] += took / len(batch)
      mels[at.song].append(at.mel)
      frames[at.song] += len(at.mel)
      if frames[at.song] >= scores[at.song].frames:
        yield self._finished(songs[at.song], np.concatenate(mels[at.song]), seconds[at.song])
        mels[at.song] = []

  def _finished(self, song: Song, mel: np.ndarray, drawing_seconds: float) -> SongResult:
    try:
      result = self._measured(song, mel, drawing_seconds)
    except Exception as e:
      return self._failed(song.name, e)
    records.write_song(self.folder, result)
    return result

  def _measured(self, song: Song, mel: np.ndarray, drawing_seconds: float) -> SongResult:
    config, settings = self.pipeline.config.mel, self.settings
    audio = song.audio.astype(np.float32) / 32768
    target = Sound(audio, song_mel(song, config))
    start, compiling = time.perf_counter(), compiling_seconds()
    prediction = Sound(self._inverted(mel, len(audio)), mel)
    inverting = time.perf_counter() - start - (compiling_seconds() - compiling)
    ceiling_audio = self._inverted(target.mel, len(audio))
    ceiling = Sound(ceiling_audio, log_mel_in_blocks(ceiling_audio, config))
    start = time.perf_counter()
    of_target = embed_all(audio, self.embedders)
    found = {
      'prediction': measure(target, prediction, self.embedders, of_target),
      'ceiling': measure(target, ceiling, self.embedders, of_target),
      'target': Measured(embeddings=of_target),
    }
    if settings.per_minute:
      for name, sound in (('prediction', prediction), ('ceiling', ceiling)):
        found[name].per_minute = measure_minutes(target, sound, self.embedders)
    measuring = time.perf_counter() - start
    sounds = {'prediction': prediction, 'ceiling': ceiling, 'target': target}
    self._write(song, sounds, found)
    return SongResult(
      song=song.name,
      status='ok',
      seconds=len(audio) / config.sample_rate,
      notes=len(song.notes),
      systems={name: {'metrics': each.metrics, 'per_minute': each.per_minute} for name, each in found.items()},
      warnings=tuple(f'{name}: {warning}' for name, each in found.items() for warning in each.warnings),
      time={'spectrogram': drawing_seconds, 'inverter': inverting, 'metrics': measuring},
    )

  def _inverted(self, mel: np.ndarray, samples: int) -> np.ndarray:
    """The sound of a log-mel [T, D], as long as the recording."""
    return np.concatenate([part[0] for part in self.pipeline.invert([mel[None]])])[:samples]

  def _write(self, song: Song, sounds: dict[Any, Sound], found: dict[str, Measured]) -> None:
    embeddings = {f'{name}/{embedder}': rows for name, each in found.items() for embedder, rows in each.embeddings.items()}
    records.write_embeddings(self.folder, song.name, embeddings)
    records.write_mels(self.folder, song.name, {name: sound.mel for name, sound in sounds.items()})
    notes = records.notes_file(self.folder, song.name)
    write_midi(song.notes, notes)
    if self.settings.audio:
      for name, sound in sounds.items():
        write_audio(records.audio_file(self.folder, song.name, name), sound.audio, self.pipeline.config.mel.sample_rate)

  def _failed(self, song: str, error: Exception) -> SongResult:
    reason = str(error) if isinstance(error, InputError) else f'{type(error).__name__}: {error}'
    result = SongResult(song, 'failed', ' '.join(reason.split())[:500])
    records.write_song(self.folder, result)
    return result


def _timed(items: Iterator[playing.Progress]) -> Iterator[tuple[float, playing.Progress]]:
  """Items and the seconds that each kept its reader waiting; what was spent on compiling programs does not count."""
  while True:
    start, compiling = time.perf_counter(), compiling_seconds()
    item = next(items, None)
    if item is None:
      return
    yield max(time.perf_counter() - start - (compiling_seconds() - compiling), 0.0), item
