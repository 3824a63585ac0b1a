"""An evaluation as an Apache Beam pipeline over songs, on any runner; each worker loads the model once."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.metrics.metric import Metrics
from apache_beam.options.pipeline_options import PipelineOptions

from mt3_synth.errors import InputError
from mt3_synth.evaluation.job import Evaluator, Settings
from mt3_synth.evaluation.transcribers import Transcriber
from mt3_synth.evaluation.transcribing import transcribe_songs


def evaluate_on_beam(
  settings: Settings, folder: Path, songs: Sequence[str], transcribers: Sequence[Transcriber], options: Sequence[str]
) -> None:
  """Evaluates songs wherever the runner runs; checkpoint, corpus and folder must be there under the same paths.

  Args:
    settings: what every worker does.
    folder: of the evaluation.
    songs: ids; those that are played side by side are one element.
    transcribers: that hear the sounds; where there are none, the sounds are only written.
    options: of the pipeline, `--runner=NAME` among them.

  Raises:
    InputError: Beam knows no such runner.
  """
  try:
    pipeline = beam.Pipeline(options=PipelineOptions(list(options)))
  except ValueError as e:
    raise InputError(f'--runner: Apache Beam does not take these options ({" ".join(str(e).split())})') from None
  size = settings.batch_size
  groups = [tuple(songs[start : start + size]) for start in range(0, len(songs), size)]
  evaluated = pipeline | 'songs' >> beam.Create(groups) | beam.Reshuffle()
  _ = evaluated | 'evaluate' >> beam.ParDo(EvaluateSongs(settings, str(folder), tuple(transcribers)))
  pipeline.run().wait_until_finish()


class EvaluateSongs(beam.DoFn):
  """Ids of songs -> their records in the folder, and the ids of those that were measured."""

  def __init__(self, settings: Settings, folder: str, transcribers: Sequence[Transcriber]):
    self.settings, self.folder, self.transcribers = settings, Path(folder), transcribers

  def setup(self) -> None:
    self.evaluator = Evaluator(self.settings, self.folder)

  def process(self, songs: Sequence[str]) -> Iterator[str]:
    seconds, failed = Metrics.counter('evaluate', 'audio_seconds'), Metrics.counter('evaluate', 'failed_songs')
    for result in self.evaluator.evaluate(songs):
      if result.status == 'ok':
        seconds.inc(int(result.seconds))
        yield result.song
      else:
        failed.inc()
    transcribe_songs(self.folder, songs, self.transcribers)
