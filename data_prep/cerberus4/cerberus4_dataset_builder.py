"""`tfds build data_prep/cerberus4 --manual_dir SOURCE --data_dir OUT`."""

from data_prep.cerberus4.reader import CORPUS
from data_prep.prepare.builder import CorpusBuilder, builder_configs


class Builder(CorpusBuilder):
  CORPUS = CORPUS
  BUILDER_CONFIGS = builder_configs(CORPUS)
