"""Writes shards as the elements of an Apache Beam pipeline, on any runner."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.prepare.plan import Shard
from data_prep.prepare.shard import write_shard
from mt3_synth.errors import InputError

if TYPE_CHECKING:
  from apache_beam.options.pipeline_options import PipelineOptions


def write_on_beam(shards: Sequence[Shard], folder: Path, *, options: 'Sequence[str] | PipelineOptions') -> None:
  """Writes shards wherever the runner runs; source and output folder must be there under the same paths.

  Args:
    shards: what to write.
    folder: where.
    options: of the pipeline, `--runner=NAME` among them.

  Raises:
    InputError: Beam is not installed, or knows no such runner.
  """
  try:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
  except ImportError:
    raise InputError('--runner: Apache Beam is not installed; run: pip install mt3_synth[data]') from None
  try:
    pipeline = beam.Pipeline(options=options if isinstance(options, PipelineOptions) else PipelineOptions(list(options)))
  except ValueError as e:
    raise InputError(f'--runner: Apache Beam does not take these options ({" ".join(str(e).split())})') from None
  _ = pipeline | 'shards' >> beam.Create(shards) | beam.Reshuffle() | 'write' >> beam.Map(_write, str(folder))
  pipeline.run().wait_until_finish()


def _write(shard: Shard, folder: str) -> str:
  from apache_beam.metrics.metric import Metrics

  songs, seconds = Metrics.counter('prepare', 'songs'), Metrics.counter('prepare', 'audio_seconds')

  def count(song):
    songs.inc()
    seconds.inc(int(song.seconds))

  return write_shard(shard, Path(folder), count).name
