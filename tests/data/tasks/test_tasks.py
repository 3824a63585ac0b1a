"""What tasks give: the examples of the other loader, in SeqIO's form."""

import dataclasses
import warnings
from functools import partial

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.audio.mel import log_mel
from mt3_synth.config import ModelConfig, NotesConfig
from mt3_synth.data.drawing import Visits, consecutive_starts
from mt3_synth.data.examples import Crops
from mt3_synth.data.mixtures import rates
from mt3_synth.data.prepared import PreparedSplit
from mt3_synth.data.songs import Song
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.notes import from_note_sequence
from tests.data.prepared import write_prepared
from tests.data.tasks.conftest import BOTH, LENGTHS
from tests.data.tiny import CONTEXT, FRAMES, tiny_model, tiny_song

seqio = pytest.importorskip('seqio', reason="SeqIO is not installed: pip install 'mt3_synth[data]'")
tf = pytest.importorskip('tensorflow')

from mt3_synth.data.tasks import transforms  # noqa: E402
from mt3_synth.data.tasks.converters import AutoregressiveConverter, ContextDiffusionConverter, DiffusionConverter  # noqa: E402
from mt3_synth.data.tasks.metrics import mel_l1  # noqa: E402
from mt3_synth.data.tasks.registry import register, register_published, registered  # noqa: E402
from mt3_synth.data.tasks.source import ExcerptSource  # noqa: E402
from mt3_synth.data.tasks.tasks import VARIANTS, synthesis, synthesis_with_context  # noqa: E402

MODEL = tiny_model()


def examples(task, split='train', lengths=None, **options) -> list[dict]:
  return list(task.get_dataset(lengths, split, **({'shuffle': False, 'seed': 0} | options)).as_numpy_iterator())


@pytest.mark.parametrize(
  'notes',
  [
    NotesConfig(),
    NotesConfig(velocity_bins=127, programs='slakh_classes'),
    NotesConfig(ties=False, programs='flat'),
    NotesConfig(ties=False, onsets_only=True),
  ],
)
def test_a_full_song_is_what_the_other_loader_makes_of_it(data_dir, notes):
  config = dataclasses.replace(MODEL, notes=notes)
  split = PreparedSplit(data_dir / 'large', 'validation')
  found = examples(synthesis_with_context('t', data_dir / 'large', config, 'full_song'), 'validation')
  expected = []
  for number, row in enumerate(split.songs):
    crops = Crops(split.song(number), config)
    expected += [(row.song_id, k, crops.crop(int(start))) for k, start in enumerate(consecutive_starts(crops.excerpt.song_frames, FRAMES))]
  assert len(found) == len(expected) == 10 + 4 + 1
  mel = jax.jit(log_mel, static_argnums=(1, 2))
  for example, (song_id, segment, crop) in zip(found, expected, strict=True):
    assert (example['song_id'].decode(), example['segment']) == (song_id, segment)
    assert_array_equal(example['inputs'], crop['notes'][crop['notes'] != 0])
    assert_array_equal(example['audio'], crop['audio'])
    assert_array_equal(example['targets'], mel(crop['audio'], config.mel, FRAMES)[: crop['frames']])
    assert_array_equal(example['targets_context'], mel(crop['context_audio'], config.mel, CONTEXT)[: crop['context_frames']])


@pytest.mark.parametrize(
  ('tag', 'notes'),
  [
    ('vel1_ties', NotesConfig()),
    ('vel127_ties', NotesConfig(velocity_bins=127)),
    ('vel127_noties', NotesConfig(velocity_bins=127, ties=False)),
  ],
)
def test_the_published_segments(golden, tmp_path, tag, notes):
  with np.load(golden / 'tokens.npz') as published:
    audio = np.rint(published['audio'] * 32768).astype(np.int16)
    tokens = [published[f'{tag}/seg{n}/tokens'] for n in range(3)]
    mels = [published[f'vel1_ties/seg{n}/mel'] for n in range(3)]
  song = Song('ns', from_note_sequence((golden / 'ns.binpb').read_bytes()), audio)
  folder = write_prepared(tmp_path / 'corpus', {'train': [song]})
  found = examples(synthesis_with_context('t', folder, ModelConfig(notes=notes), 'full_song'))
  for example, row, mel in zip(found, tokens, mels, strict=True):
    assert_array_equal(example['inputs'], row)
    # The published audio is float; in 16 bits, silence is noise of half a step.
    assert_allclose(example['targets'], mel[:256][: len(example['targets'])], atol=0.08)
  assert [len(example['targets']) for example in found] == [256, 256, 88]  # the published have a frame past the end
  assert [len(example['targets_context']) for example in found] == [0, 256, 256]


def test_the_published_spectrogram_inside_tf_data(golden):
  with np.load(golden / 'tokens.npz') as published:
    audio, mel = published['audio'], np.concatenate([published[f'vel1_ties/seg{n}/mel'] for n in range(3)])[:600]
  config = ModelConfig(network=dataclasses.replace(ModelConfig().network, target_frames=600, context_frames=0))
  dataset = tf.data.Dataset.from_tensors({'audio': audio, 'frames': np.int32(600)})
  (example,) = transforms.log_mel(dataset, config=config).as_numpy_iterator()
  assert_allclose(example['targets'], mel, atol=2e-4, rtol=2e-5)


def test_training_draws_one_crop_in_each_visited_piece_and_others_each_epoch(data_dir):
  task = synthesis('t', data_dir / 'small', dataclasses.replace(MODEL, network=dataclasses.replace(MODEL.network, note_length=100)))
  assert task.num_input_examples('train') == len(Visits([770], FRAMES)) == 3
  whole = np.asarray(log_mel(tiny_song(15.4, 's', 2).audio))
  epochs = examples(task, num_epochs=20)
  assert len(epochs) == 60
  starts = [int(np.abs(whole[: 770 - FRAMES + 1] - example['targets'][0]).max(1).argmin()) for example in epochs]
  assert [start // 256 for start in starts] == [0, 1, 2] * 20
  for start, example in zip(starts, epochs, strict=True):
    assert_allclose(example['targets'], whole[start : start + FRAMES], atol=2e-3)
  assert len(set(starts)) > 40
  for first, second in zip(epochs, examples(task, num_epochs=20), strict=True):
    assert_array_equal(first['targets'], second['targets'])


def test_an_epoch_is_shuffled_and_shared_among_hosts(data_dir):
  task = synthesis('t', data_dir / 'large', MODEL, 'full_song')
  of = lambda **options: [(e['song_id'], int(e['segment'])) for e in examples(task, 'validation', **options)]
  everything = of()
  assert sorted(of(shuffle=True)) == sorted(everything) != of(shuffle=True)
  assert of(shuffle=True) == of(shuffle=True) != of(shuffle=True, seed=1)
  source = ExcerptSource(data_dir / 'large', MODEL, segments=False)  # shuffles all, where a task's own buffer holds few
  starts = lambda **options: [int(e['start']) for e in source.get_dataset('train', **options).as_numpy_iterator()]
  assert sorted(starts(seed=0)) == sorted(starts(shuffle=False)) != starts(seed=0) == starts(seed=0) != starts(seed=1)
  shards = [of(shard_info=seqio.ShardInfo(n, 4)) for n in range(4)]
  assert sorted(sum(shards, [])) == sorted(everything)


def test_no_note_is_lost_in_silence(data_dir):
  lengths = LENGTHS | {'inputs': 14}
  make = partial(synthesis_with_context, 't', data_dir / 'large', MODEL)
  reports = []
  kept = examples(make('train', report=lambda *counts: reports.append(counts)), lengths=lengths)
  assert reports == [(n + 1, seen) for n, (_, seen) in enumerate(reports)]
  assert len(kept) + len(reports) == 60
  assert 0 < len(reports) < 60
  assert all(len(e['inputs']) <= 14 and e['inputs'][-1] == 1 for e in kept)
  with pytest.warns(InputWarning, match='1 of .* examples had more tokens than there is room for, and were dropped'):
    examples(make('train'), lengths=lengths)
  with pytest.warns(InputWarning, match='the quietest and shortest, are left out'):
    thinned = examples(make('eval'), 'validation', lengths)
  assert len(thinned) == 15
  assert all(len(e['inputs']) <= 14 and e['inputs'][-1] == 1 for e in thinned)
  with pytest.raises(tf.errors.OpError, match='room is for 14'):
    examples(make('eval', too_long='error'), 'validation', lengths)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    assert len(examples(make('train', too_long='thin'), lengths=lengths)) == 60


@pytest.mark.parametrize(
  ('make', 'says'),
  [
    (lambda folder: synthesis('t', folder, tiny_model('aligned')), "conditioning is 'aligned'; SeqIO tasks carry 'tokens' alone"),
    (lambda folder: synthesis('t', folder, MODEL, 'eval', too_long='drop'), "too_long is 'drop', expected 'thin' or 'error'"),
    (lambda folder: synthesis_with_context('t', folder, tiny_model(context_frames=0)), 'context_frames is 0'),
    (
      lambda folder: examples(synthesis('t', folder, MODEL), lengths={'inputs': 64, 'targets': 17}),
      'targets is 17, the task was made for 16',
    ),
    (lambda folder: synthesis('t', folder / 'none', MODEL).splits, 'none: no prepared corpus here'),
    (lambda folder: examples(synthesis('t', folder, MODEL), 'test'), "has no split 'test'; there are: train, validation"),
  ],
)
def test_what_can_not_be_is_refused(data_dir, make, says):
  with pytest.raises(InputError, match=says):
    make(data_dir / 'large')


def test_mixtures_draw_at_their_rates(registry, data_dir):
  register(data_dir, MODEL, corpora=('large', 'small/v1'), mixtures=BOTH)
  share = rates([60, 3], 10 / 3)[1]
  assert 0.28 < share < 0.3
  dataset = seqio.get_dataset('both_synthesis_train', LENGTHS_WITHOUT, DiffusionConverter(), shuffle=True, seed=3, num_epochs=None)
  whole = np.asarray(log_mel(tiny_song(15.4, 's', 2).audio))
  first = {frame[:8].tobytes() for frame in whole.round(2)}  # no frame of the other corpus is equal
  drawn = [e['decoder_target_tokens'].round(2)[5][:8].tobytes() in first for e in dataset.take(600).as_numpy_iterator()]
  assert abs(np.mean(drawn) - share) < 4 * np.sqrt(share * (1 - share) / 600)
  evaluated = seqio.get_dataset('both_synthesis_eval', LENGTHS_WITHOUT, DiffusionConverter(), 'validation')
  assert sum(1 for _ in evaluated) == 15 + 10  # nothing is left out when one corpus ends


LENGTHS_WITHOUT = {name: LENGTHS[name] for name in ('inputs', 'targets')}


def test_one_call_registers_all_by_name(registry):
  names = register_published('nowhere')
  assert sorted([*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()]) == sorted(names)
  assert len(names) == (8 + 1 + 3) * 6
  for name in ('maestro_v3_synthesis_with_context_train', 'urmp_synthesis_eval', 'maestro_v1_vel127_noties_synthesis_full_song'):
    assert name in seqio.TaskRegistry.names()
  assert set(seqio.MixtureRegistry.names()) == {f'mega_{kind}_{v}' for kind in ('synthesis', 'synthesis_with_context') for v in VARIANTS}
  assert len(seqio.get_mixture_or_task('mega_synthesis_train').tasks) == 6
  with pytest.raises(InputError, match='nowhere/urmp: no prepared corpus here'):
    seqio.get_mixture_or_task('urmp_synthesis_train').splits  # noqa: B018
  with pytest.raises(ValueError, match='duplicate'):
    register_published('nowhere')


def test_what_a_model_trains_on_is_registered_when_it_is_asked_for(registry, data_dir):
  single = registered(['small/v1'], MODEL, 'train', data_dir)
  assert single == 'small_v1_synthesis_with_context_train'
  assert registered(['small/v1'], MODEL, 'eval', data_dir) == 'small_v1_synthesis_with_context_eval'
  assert set(seqio.get_mixture_or_task(single).output_features) == {'inputs', 'targets', 'targets_context'}
  with pytest.raises(ValueError, match='duplicate'):
    registered(['small/v1'], dataclasses.replace(MODEL, notes=NotesConfig(ties=False)), 'train', data_dir)
  with pytest.raises(InputError, match=r"corpora is 'urmp', expected several or one in a tuple: \('urmp',\)"):
    registered('urmp', MODEL, 'train', data_dir)


def test_several_corpora_are_a_mixture_and_a_model_without_context_has_no_other_tasks(registry, data_dir):
  name = registered(['large', 'small/v1'], tiny_model(context_frames=0), 'train', data_dir)
  assert name == 'large_small_v1_synthesis_train'
  assert [task.name for task in seqio.get_mixture_or_task(name).tasks] == ['large_synthesis_train', 'small_v1_synthesis_train']
  assert not any('context' in each for each in seqio.TaskRegistry.names())
  assert registered(['mega'], tiny_model(context_frames=0), 'eval', data_dir) == 'mega_synthesis_eval'


def test_an_evaluation_measures_recorded_frames_alone(data_dir):
  silence, quarter = np.zeros((3, 2)), np.full((4, 2), 0.25)
  assert mel_l1([silence, silence[:1]], [quarter.tolist(), (2 * quarter).tolist()]) == {'mel_l1': (3 * 0.25 + 0.5) / 4}
  variants = {variant: synthesis('t', data_dir / 'large', MODEL, variant).predict_metric_fns for variant in VARIANTS}
  assert variants == {'train': [], 'eval': [mel_l1], 'full_song': [mel_l1]}


def test_converters_pad_and_mask(data_dir):
  task = synthesis_with_context('t', data_dir / 'large', MODEL, 'full_song')
  raw = examples(task, 'validation')
  more = {'song_id': seqio.FeatureConverter.FeatureSpec(tf.string, rank=0)}
  lengths = LENGTHS | {'song_id': 1}
  converted = list(seqio.get_dataset(task, lengths, ContextDiffusionConverter(passthrough_features=more), 'validation').as_numpy_iterator())
  assert [e['song_id'] for e in converted] == [e['song_id'] for e in raw]
  for example, task_example in zip(converted, raw, strict=True):
    pairs = (
      ('encoder_input_tokens', None, 'inputs'),
      ('decoder_target_tokens', 'decoder_target_mask', 'targets'),
      ('encoder_continuous_inputs', 'encoder_continuous_mask', 'targets_context'),
    )
    for name, mask, feature in pairs:
      value = task_example[feature]
      assert len(example[name]) == LENGTHS[feature]
      assert_array_equal(example[name][: len(value)], value)
      assert not example[name][len(value) :].any()
      if mask:
        assert_array_equal(example[mask], np.arange(LENGTHS[feature]) < len(value))
  late = seqio.get_dataset(task, LENGTHS_WITHOUT, AutoregressiveConverter(), 'validation').as_numpy_iterator()
  for example in late:
    assert not example['decoder_input_tokens'][0].any()
    assert_array_equal(example['decoder_input_tokens'][1:], example['decoder_target_tokens'][:-1])
  with pytest.raises(ValueError, match='pack=False'):
    DiffusionConverter(pack=True)
