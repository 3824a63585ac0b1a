"""What TFDS must know of a prepared corpus: dataset_info.json and features.json."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.dataset_info import DatasetIdentity

from data_prep.corpus import Corpus
from data_prep.prepare.plan import VERSION, Plan
from data_prep.prepare.shard import Written
from mt3_synth.data.pieces import COLUMNS, ROW

FILE_FORMAT = 'array_record'


def write_metadata(plan: Plan, folder: Path, splits: Mapping[str, Sequence[Written]]) -> None:
  """Writes TFDS's description of the files of each split."""
  name = plan.corpus.name
  identity = DatasetIdentity(
    name=name,
    version=tfds.core.Version(VERSION),
    data_dir=str(folder),
    module_name=module_name(name),
    config_name=plan.config,
    config_description=config_description(plan.corpus, plan.config),
    config_tags=[],
    release_notes={},
  )
  info = dataset_info(identity, plan.corpus)
  info.set_file_format(FILE_FORMAT)
  info.set_splits(split_infos(folder, name, splits))
  info.write_to_directory(folder)


def dataset_info(builder, corpus: Corpus) -> tfds.core.DatasetInfo:
  """A corpus in TFDS's terms; `builder` is a TFDS builder or identity."""
  return tfds.core.DatasetInfo(
    builder=builder,
    description=corpus.description,
    features=features(),
    supervised_keys=None,
    disable_shuffling=True,  # the order of the files is the order of the songs' table
    homepage=corpus.homepage,
    citation=corpus.citation,
    license=corpus.licence,
  )


def features() -> tfds.features.FeaturesDict:
  """The features of a piece, under the names and in the types of its record."""
  column = lambda dtype: tfds.features.Tensor(shape=(None,), dtype=dtype, encoding='bytes')
  return tfds.features.FeaturesDict(
    {
      'id': tfds.features.Text(doc='song_id/index'),
      'song_id': tfds.features.Text(),
      'index': tfds.features.Scalar(np.int64, doc='of the piece in its song'),
      'song_samples': tfds.features.Scalar(np.int64, doc='length of the whole song at 16 kHz'),
      'audio': column(np.int16),
      'notes': {name: column(dtype) for name, dtype in {**COLUMNS, ROW: np.int32}.items()},
      'sequence': tfds.features.Text(doc='the notes as a serialized NoteSequence'),
      'corpus': tfds.features.Text(),
      'licence': tfds.features.Text(),
    }
  )


def split_infos(folder: Path, corpus: str, splits: Mapping[str, Sequence[Written]]) -> tfds.core.SplitDict:
  """TFDS's table of files and their lengths."""
  files = tfds.core.ShardedFileTemplate(data_dir=epath.Path(folder), dataset_name=corpus, filetype_suffix=FILE_FORMAT)
  infos = []
  for split, reports in splits.items():
    lengths, size = [report.pieces for report in reports], sum(report.bytes for report in reports)
    infos.append(tfds.core.SplitInfo(name=split, shard_lengths=lengths, num_bytes=size, filename_template=files.replace(split=split)))
  return tfds.core.SplitDict(infos)


def config_description(corpus: Corpus, config: str) -> str:
  return ', '.join(f'{name}={value}' for name, value in corpus.configs[config].items()) or 'as published'


def module_name(corpus: str) -> str:
  return f'data_prep.{corpus}.{corpus}_dataset_builder'
