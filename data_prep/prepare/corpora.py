"""The corpora that can be prepared: folders of data_prep with a reader."""

import importlib
from pathlib import Path

from data_prep.corpus import Corpus


def corpus_names() -> list[str]:
  return sorted(path.parent.name for path in Path(__file__).parents[1].glob('*/reader.py'))


def load_corpus(name: str) -> Corpus:
  """The corpus of one of `corpus_names`."""
  return importlib.import_module(f'data_prep.{name}.reader').CORPUS
