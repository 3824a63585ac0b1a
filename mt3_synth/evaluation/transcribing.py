"""Transcribes the sounds of an evaluation, and adds the scores to its songs' results: of the model, of the ceiling, of the recordings."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mt3_synth.audio.files import read_audio_int16, write_audio
from mt3_synth.evaluation import records
from mt3_synth.evaluation.records import SYSTEMS, SongResult, System
from mt3_synth.evaluation.transcribers import Transcriber, transcribe
from mt3_synth.evaluation.transcription import onset_errors, score_transcription, without_drums
from mt3_synth.notes import Notes, read_midi, write_midi

SONGS_AT_ONCE = 16  # three files each: a transcriber takes longer to start than to hear a file


def transcribe_songs(
  folder: Path, songs: Sequence[str], transcribers: Sequence[Transcriber], on_songs: Callable[[int], object] = lambda count: None
) -> int:
  """Scores of those of the songs that were measured and have none yet, some songs at a time, each written down when it has them.

  Args:
    folder: of the evaluation, with its sounds.
    songs: ids.
    transcribers: the first one's onsets are also measured.
    on_songs: called with how many songs are done with.

  Returns:
    how many sounds could not be transcribed; each song's warnings say why.
  """
  failed = 0
  for transcriber in transcribers:
    results = [result for song in songs if (result := records.read_song(folder, song)) and result.status == 'ok']
    todo = [result for result in results if not all(_key(transcriber) in result.metrics(system) for system in SYSTEMS)]
    for start in range(0, len(todo), SONGS_AT_ONCE):
      some = todo[start : start + SONGS_AT_ONCE]
      for result, heard in zip(some, _heard(folder, some, transcriber), strict=True):
        failed += sum(isinstance(each, str) for each in heard.values())
        records.write_song(folder, _scored(folder, result, heard, transcriber, onsets=transcriber is transcribers[0]))
      on_songs(len(some))
  return failed


def _heard(folder: Path, results: Sequence[SongResult], transcriber: Transcriber) -> list[dict[System, Notes | str]]:
  """What was heard in each sound of each song."""
  with tempfile.TemporaryDirectory(prefix='mt3_synth-sounds-') as work:
    files = [[Path(work) / f'{number:06d}-{system}.wav' for system in SYSTEMS] for number in range(len(results))]
    for result, of_song in zip(results, files, strict=True):
      for system, file in zip(SYSTEMS, of_song, strict=True):
        write_audio(file, read_audio_int16(records.audio_file(folder, result.song, system)))
    found = iter(transcribe(transcriber, [file for of_song in files for file in of_song]))
    return [{system: next(found) for system in SYSTEMS} for _ in results]


def _scored(folder: Path, result: SongResult, heard: dict[System, Notes | str], transcriber: Transcriber, onsets: bool) -> SongResult:
  reference = read_midi(records.notes_file(folder, result.song)) if result.notes else Notes.empty()
  systems = {name: dict(each) for name, each in result.systems.items()}
  warnings = [each for each in result.warnings if f': transcriber {transcriber.name}:' not in each]
  for system, notes in heard.items():
    if isinstance(notes, str):
      warnings.append(f'{system}: {notes}')
      continue
    write_midi(notes, records.transcription_file(folder, result.song, system, transcriber.name))
    systems[system]['metrics'] = systems[system]['metrics'] | _scores(reference, notes, transcriber)
    if onsets:
      systems[system]['metrics'] |= onset_timing(reference, notes)
  return replace(result, systems=systems, warnings=tuple(warnings))


def _key(transcriber: Transcriber) -> str:
  """Of a value that every transcription has."""
  return f'transcription_{transcriber.name}_{transcriber.granularities[0]}_onset_f1'


def _scores(reference: Notes, notes: Notes, transcriber: Transcriber) -> dict[str, float]:
  if not transcriber.drums:
    reference, notes = without_drums(reference), without_drums(notes)
  found = {}
  for granularity in transcriber.granularities:
    for name, offsets in (('onset', False), ('onset_offset', True)):
      scores = score_transcription(reference, notes, granularity, offsets)
      found |= {f'transcription_{transcriber.name}_{granularity}_{name}_{share}': x for share, x in scores._asdict().items()}
  return found


def onset_timing(reference: Notes, notes: Notes) -> dict[str, float]:
  """How late notes are heard, and how much that varies [ms]; not numbers where none is."""
  late = onset_errors(reference, notes)
  low, middle, high = np.percentile(late, [25, 50, 75]) if len(late) else [np.nan] * 3
  return {'onset_error_median_ms': float(middle), 'onset_error_iqr_ms': float(high - low)}
