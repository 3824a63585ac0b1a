"""`tfds build data_prep/slakh2100 --manual_dir SOURCE --data_dir OUT`."""

from data_prep.prepare.builder import CorpusBuilder, builder_configs
from data_prep.slakh2100.reader import CORPUS


class Builder(CorpusBuilder):
  CORPUS = CORPUS
  BUILDER_CONFIGS = builder_configs(CORPUS)
