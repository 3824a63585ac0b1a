"""What the TFDS builders of the corpora share: `tfds build data_prep/CORPUS --manual_dir SOURCE --data_dir OUT`.

TFDS's own writer shuffles examples; ours keeps a song's pieces together.  So a builder leaves the writing to `prepare`, and the files are
those of `mt3-synth prepare`, to the byte.
"""

import os
from functools import partial
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder
from tqdm import tqdm

from data_prep.corpus import Corpus
from data_prep.prepare.folder import SKIPPED, final_folder
from data_prep.prepare.job import prepare
from data_prep.prepare.local import write_locally
from data_prep.prepare.metadata import FILE_FORMAT, config_description, dataset_info, module_name
from data_prep.prepare.on_beam import write_on_beam
from data_prep.prepare.plan import VERSION, make_plan
from mt3_synth.errors import InputError


def builder_configs(corpus: Corpus) -> list[tfds.core.BuilderConfig]:
  return [tfds.core.BuilderConfig(name=name, description=config_description(corpus, name)) for name in corpus.configs]


class CorpusBuilder(FileReaderBuilder, skip_registration=True):
  """A corpus as a TFDS builder.

  Attributes:
    CORPUS: which.
  """

  CORPUS: ClassVar[Corpus]
  VERSION = tfds.core.Version(VERSION)
  MANUAL_DOWNLOAD_INSTRUCTIONS = 'The corpus as it is published, unpacked; see docs/prepare.md.'

  def __init__(self, *, file_format=None, **kwargs):
    if file_format not in (None, FILE_FORMAT, tfds.core.FileFormat.ARRAY_RECORD):
      raise InputError(f'{self.CORPUS.name}: file_format is {file_format}, expected {FILE_FORMAT}: pieces are read in any order')
    super().__init__(file_format=FILE_FORMAT, **kwargs)

  def _info(self) -> tfds.core.DatasetInfo:
    info = dataset_info(self, self.CORPUS)
    info.as_proto.module_name = module_name(self.CORPUS.name)  # whichever way TFDS imported it
    return info

  def _download_and_prepare(self, dl_manager, download_config=None) -> None:
    """Writes the dataset into `self.data_dir`, which TFDS then gives its name.  Work is resumed as by `mt3-synth prepare`."""
    plan = make_plan(self.CORPUS, Path(dl_manager.manual_dir), self.builder_config_name)
    beam = getattr(download_config, 'beam_options', None)  # tfds build --beam_pipeline_options=runner=...
    write = partial(write_on_beam, options=beam) if beam else partial(write_locally, workers=os.cpu_count() or 1)
    prepared = prepare(plan, Path(self._data_dir_root), write, Path(self.data_dir))
    self.info.set_splits(tfds.builder_from_directory(prepared.folder).info.splits)
    if prepared.skipped:
      where = final_folder(plan, Path(self._data_dir_root)) / SKIPPED
      tqdm.write(f'{len(prepared.skipped)} songs of {plan.corpus.name} were skipped; each with its reason in {where}')
