"""Tasks and mixtures in SeqIO's registries, for tools that look them up by name: its cache script, T5X."""

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import seqio
import tensorflow as tf

from mt3_synth.config import ModelConfig, NotesConfig
from mt3_synth.data.mixtures import MIXTURES, Mixture, expand, rates
from mt3_synth.data.tasks.tasks import VARIANTS, Variant, synthesis, synthesis_with_context
from mt3_synth.errors import InputError

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
  `VARIANTS`, and of a `config` without context `synthesis` alone.  A mixture is named alike, e.g. mega_synthesis_with_context_train.

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
  for kind in KINDS if config.network.context_frames else ['synthesis']:
    for variant in VARIANTS:
      name = partial(task_name, kind=kind, variant=variant, tag=tag)
      # Of one epoch, training takes what is mixed as asked; evaluation takes all.
      sample = partial(tf.data.Dataset.sample_from_datasets, stop_on_empty_dataset=variant == 'train')
      too_long = 'error' if strict and variant != 'train' else None
      for corpus in corpora:
        seqio.TaskRegistry.add_provider(name(corpus), KINDS[kind](name(corpus), Path(data_dir, corpus), config, variant, too_long=too_long))
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


def task_name(corpus: str, kind: str, variant: Variant, tag: str = '') -> str:
  """What `register` names a corpus or a mixture."""
  return '_'.join(filter(None, (re.sub(r'\W+', '_', corpus).strip('_'), tag, kind, variant)))


def registered(corpora: Sequence[str], config: ModelConfig, variant: Variant, data_dir: str | Path = '') -> str:
  """The name of the task, or of the mixture, that gives what a model of `config` takes; registered when it is first asked for.

  Args:
    corpora: each a folder under `data_dir`, or a name of `MIXTURES`, as the trainer takes them.
    config: of the model.
    variant: of `VARIANTS`.
    data_dir: the folder of prepared corpora.

  Raises:
    InputError: `corpora` is no list, or an empty one.
    ValueError: by SeqIO, these corpora are registered already, for another `config` or of another folder.
  """
  if isinstance(corpora, str):
    raise InputError(f'corpora is {corpora!r}, expected several or one in a tuple: ({corpora!r},)')
  _register_once(tuple(corpora), config, Path(data_dir))
  kind = 'synthesis_with_context' if config.network.context_frames else 'synthesis'
  return task_name('_'.join(corpora), kind, variant)


@functools.cache
def _register_once(corpora: tuple[str, ...], config: ModelConfig, data_dir: Path) -> None:
  mixture = expand(corpora)
  mixtures = {'_'.join(corpora): mixture} if len(mixture.corpora) > 1 else {}
  register(data_dir, config, corpora=mixture.corpora, mixtures=mixtures)


def _rate(task: seqio.Task, *, tasks: list[str], temperature: float) -> float:
  """A task's share of a mixture of tasks, by their numbers of training examples."""
  counts = [seqio.TaskRegistry.get(name).num_input_examples('train') or 0 for name in tasks]
  return float(rates(counts, temperature)[tasks.index(task.name)])
