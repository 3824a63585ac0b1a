"""The tasks of one corpus: a task is a visible list."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, Literal

import seqio
import tensorflow as tf

from mt3_synth.config import ModelConfig
from mt3_synth.data.drawing import draw_example
from mt3_synth.data.examples import Crops
from mt3_synth.data.tasks import transforms
from mt3_synth.data.tasks.metrics import mel_l1
from mt3_synth.data.tasks.source import ExcerptSource
from mt3_synth.data.tasks.transforms import Report
from mt3_synth.errors import InputError
from mt3_synth.notes.codec import EOS, Codec
from mt3_synth.notes.tokenize import TooLong

Variant = Literal['train', 'eval', 'full_song']
VARIANTS: tuple[Variant, ...] = ('train', 'eval', 'full_song')

# The source shuffles all examples; a cache's files are only taken in another order, so some are held back too (270 kB each).
_SHUFFLED_TOGETHER = 128


class PreparedTask(seqio.Task):
  """A task that is never kept in memory: SeqIO keeps any of fewer than 10,000 examples, and an excerpt takes half a megabyte."""

  def get_dataset(self, *args, **kwargs) -> tf.data.Dataset:
    return super().get_dataset(*args, **(kwargs | {'try_in_mem_cache': False}))


def synthesis(name: str, folder: str | Path, config: ModelConfig, variant: Variant = 'train', **options: Any) -> seqio.Task:
  """Notes -> spectrogram: `inputs` [N], `targets` [T, D].  The rest is as for `synthesis_with_context`."""
  network = dataclasses.replace(config.network, context_frames=0)
  return _task(name, folder, dataclasses.replace(config, network=network), variant, **options)


def synthesis_with_context(name: str, folder: str | Path, config: ModelConfig, variant: Variant = 'train', **options: Any) -> seqio.Task:
  """Notes and the sound before -> spectrogram: `inputs` [N], `targets_context` [C, D], `targets` [T, D].

  Spectrograms are raw log-mel.  No feature is padded: `inputs` ends with EOS, a song's last target and its first context are shorter
  (the first segment's context has no frames), and a feature converter pads and masks.

  Args:
    name: of the task.
    folder: the prepared corpus; looked at when the task is used.
    config: notes, mel and lengths.
    variant: 'train': crops at random starts, one for each visit.  'eval': the consecutive segments.  'full_song': those with `song_id`,
      `segment` and int16 `audio` (samples behind T frames), nothing dropped.
    **options: `too_long`, what to do with more tokens than there is room for: in 'train' 'drop' (the default; with a warning, or told to
      `report` as of `transforms.drop_too_long`) or 'thin', silently; in the others 'thin' (the default; with a warning) or 'error'.

  Raises:
    InputError: `config` has no context or is of aligned notes, or `too_long` is none of those.
  """
  if not config.network.context_frames:
    raise InputError(f'{name}: context_frames is 0; expected a context, or the task `synthesis`')
  return _task(name, folder, config, variant, **options)


def _task(
  name: str, folder: str | Path, config: ModelConfig, variant: Variant, too_long: TooLong | None = None, report: Report | None = None
) -> seqio.Task:
  if config.network.conditioning != 'tokens':
    raise InputError(
      f"{name}: conditioning is {config.network.conditioning!r}; SeqIO tasks carry 'tokens' alone; train on it with loader 'grain'"
    )
  training = variant == 'train'
  policies: tuple[TooLong, ...] = ('drop', 'thin') if training else ('thin', 'error')
  too_long = too_long or policies[0]
  if too_long not in policies:
    raise InputError(f"{name}: too_long is {too_long!r}, expected {policies[0]!r} or {policies[1]!r} in variant '{variant}'")
  features = output_features(config)
  extra = ('song_id', 'segment', 'audio') if variant == 'full_song' else ()
  draw = [partial(transforms.random_start, frames=config.network.target_frames)]
  return PreparedTask(
    name,
    source=ExcerptSource(folder, config, segments=not training),
    preprocessors=[
      seqio.CacheDatasetPlaceholder(),
      *(draw if training else []),
      partial(transforms.crop, config=config, take=draw_example if training else Crops.crop, too_long=too_long),
      *([partial(transforms.drop_too_long, report=report)] if too_long == 'drop' else []),
      partial(transforms.log_mel, config=config),
      partial(transforms.keep, features=(*features, *extra)),
    ],
    output_features=features,
    metric_fns=[] if training else [mel_l1],
    shuffle_buffer_size=_SHUFFLED_TOGETHER,
  )


def output_features(config: ModelConfig) -> dict[str, Any]:
  """name -> seqio.Feature, what SeqIO is told about the features."""
  vocabulary = seqio.PassThroughVocabulary(Codec(config.notes).vocab_size, EOS)
  mels = seqio.ContinuousFeature(dtype=tf.float32, rank=2)
  features = {'inputs': seqio.Feature(vocabulary, add_eos=False, dtype=tf.int32), 'targets': mels}
  return features | ({'targets_context': mels} if config.network.context_frames else {})
