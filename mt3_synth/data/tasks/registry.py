"""Tasks and mixtures in SeqIO's registries, for tools that look them up by name: its cache script, T5X."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import seqio
import tensorflow as tf

from mt3_synth.config import ModelConfig, NotesConfig
from mt3_synth.data.mixtures import MIXTURES, Mixture, rates
from mt3_synth.data.tasks.tasks import VARIANTS, synthesis, synthesis_with_context

# Where `mt3-synth prepare` writes each corpus, under the data folder.  In names of tasks it is CORPUS, with _ for /.
CORPORA = ('maestro/v1', 'maestro/v2', 'maestro/v3', 'slakh2100', 'cerberus4', 'urmp', 'guitarset', 'musicnet')
TASK_FEATURE_LENGTHS = {'inputs': 2048, 'targets_context': 256, 'targets': 256}
KINDS = {'synthesis': synthesis, 'synthesis_with_context': synthesis_with_context}


def register(
  data_dir: str | Path,
  config: ModelConfig | None = None,
  *,
  corpora: Sequence[str] = CORPORA,
  mixtures: Mapping[str, Mixture] = MIXTURES,
  tag: str = '',
  strict: bool = False,
) -> list[str]:
  """Registers tasks and mixtures; their data are looked at when they are used.

  A task is named CORPUS[_TAG]_KIND_VARIANT, e.g. maestro_v3_synthesis_with_context_train; kinds and variants are those of `KINDS` and
  `VARIANTS`.  A mixture is named alike, e.g. mega_synthesis_with_context_train.

  Args:
    data_dir: the folder of prepared corpora.
    config: of notes, mel and lengths; the published ones where None.
    corpora: their folders under `data_dir`.
    mixtures: by name; those whose corpora are not all among `corpora` are left out.
    tag: put into the names, to register another representation beside one, e.g. 'vel127_noties'.
    strict: raise where an evaluation's notes do not fit, instead of a warning.

  Returns:
    the names.

  Raises:
    ValueError: by SeqIO, a name is registered already.
  """
  config, names = config or ModelConfig(), []
  for kind, make in KINDS.items():
    for variant in VARIANTS:
      name = lambda corpus, end=f'{kind}_{variant}': '_'.join(filter(None, (corpus.replace('/', '_'), tag, end)))
      # Of one epoch, training takes what is mixed as asked; evaluation takes all.
      sample = partial(tf.data.Dataset.sample_from_datasets, stop_on_empty_dataset=variant == 'train')
      too_long = 'error' if strict and variant != 'train' else None
      for corpus in corpora:
        seqio.TaskRegistry.add_provider(name(corpus), make(name(corpus), Path(data_dir, corpus), config, variant, too_long=too_long))
        names.append(name(corpus))
      for mixture, of in mixtures.items():
        if set(of.corpora) <= set(corpora):
          tasks = [name(corpus) for corpus in of.corpora]
          rate = partial(_rate, tasks=tasks, temperature=of.temperature)
          seqio.MixtureRegistry.add(name(mixture), tasks, default_rate=rate, sample_fn=sample)
          names.append(name(mixture))
  return names


def register_published(data_dir: str | Path) -> list[str]:
  """Registers all corpora as the published models were trained on them: one velocity bin and ties; MAESTRO also with 127 and none."""
  config = ModelConfig()
  loud = dataclasses.replace(config, notes=NotesConfig(velocity_bins=127, ties=False))
  maestro = [corpus for corpus in CORPORA if corpus.startswith('maestro')]
  return register(data_dir, config) + register(data_dir, loud, corpora=maestro, tag='vel127_noties')


def _rate(task: seqio.Task, *, tasks: list[str], temperature: float) -> float:
  """A task's share of a mixture of tasks, by their numbers of training examples."""
  counts = [seqio.TaskRegistry.get(name).num_input_examples('train') or 0 for name in tasks]
  return float(rates(counts, temperature)[tasks.index(task.name)])
