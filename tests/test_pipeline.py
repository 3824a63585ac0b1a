"""The walk along a piece.  Most tests put a spy in the network's place: it returns noise of the key, and keeps what it was told."""

import inspect
import itertools
import warnings
from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth import pipeline as walk
from mt3_synth.audio.mel import scale, unscale
from mt3_synth.config import SamplerConfig
from mt3_synth.errors import InputError, InputWarning
from mt3_synth.models.pretrained import save_pretrained
from mt3_synth.notes import Notes, encode_song, song_events, write_midi
from mt3_synth.notes.aligned import aligned_notes
from mt3_synth.notes.midi_processor import MidiProcessor
from mt3_synth.pipeline import SpectrogramDiffusionPipeline, seed_keys
from mt3_synth.playing import TAIL_SECONDS, score
from tests.data.tiny import CONTEXT, FRAMES, HOP, melody, tiny_model, tiny_params

SEGMENT = FRAMES * HOP  # samples


class Loudness:
  """An inverter without a sound of its own: each frame's mean level, held."""

  def __call__(self, mel):
    return np.repeat(np.asarray(mel).mean(-1) / 20, HOP, axis=1).astype(np.float32)

  def stream(self, mels):
    return map(self, mels)


def make(conditioning):
  return SpectrogramDiffusionPipeline(tiny_model(conditioning), tiny_params(conditioning), Loudness())


@pytest.fixture(scope='module', params=['tokens', 'aligned'])
def pipe(request):
  return make(request.param)


@pytest.fixture(scope='module')
def tokens_pipe():
  return make('tokens')


@pytest.fixture(scope='module')
def aligned_pipe():
  return make('aligned')


@pytest.fixture
def seen(monkeypatch):
  """What the spy was told, a segment each."""
  calls = []

  def spy(params, conditions, key, *, model, how):
    mel = jax.vmap(lambda one: jax.random.uniform(one, (FRAMES, 128), minval=-1))(key)
    calls.append(SimpleNamespace(conditions=conditions, how=how, mel=np.asarray(mel)))
    return mel

  monkeypatch.setattr(walk, '_draw', spy)
  return calls


# With the network.


def test_a_piece_is_played_whole(pipe):
  notes = melody(1.0)  # the last note ends at 0.9 s
  output = pipe(notes)
  frames = round((notes.duration + TAIL_SECONDS) * 50) + 1
  assert output.sample_rate == 16000
  assert output.mels.shape == (1, frames, 128)
  assert output.audios.shape == (1, frames * HOP)
  assert output.audios.dtype == np.float32
  assert np.abs(output.audios).max() <= 1
  assert -1e-3 <= scale(output.mels).min() + 1 <= scale(output.mels).max() + 1 <= 2.001


def test_the_seed_gives_the_same_audio_again(pipe):
  play = lambda seed: pipe(melody(1.0), seed=seed).audios
  assert_array_equal(play(3), play(3))
  assert (play(3) != play(4)).any()


def test_other_notes_sound_otherwise(pipe):
  assert (pipe(melody(1.0)).mels != pipe(melody(1.0, seed=5)).mels).any()


def test_a_segment_is_played_from_the_sound_before_it(pipe, monkeypatch):
  """Another first segment changes the second, whose own noise is the same."""
  notes, how = melody(1.0), pipe.sampling()
  plain = list(itertools.islice(pipe.segments(notes, how), 2))
  draw, first = walk._draw, []

  def other_start(params, conditions, key, **kwargs):
    if not first:
      first.append(key)
      key = jax.random.key(99)[None]
    return draw(params, conditions, key, **kwargs)

  monkeypatch.setattr(walk, '_draw', other_start)
  changed = list(itertools.islice(pipe.segments(notes, how), 2))
  assert (changed[0] != plain[0]).any()
  assert np.abs(changed[1] - plain[1]).max() > 1e-3


@pytest.mark.parametrize('guidance', [1.0, 2.0])
def test_songs_of_a_list_are_what_they_are_alone(pipe, guidance):
  """Three pieces of other lengths, two at a time: one ends and another takes its place."""
  pieces = [melody(1.0), melody(0.5, seed=1), melody(1.5, seed=2)]
  settings = {'guidance': guidance, 'output_type': 'mel', 'sampler': 'ddpm'}
  together = pipe(pieces, seed=[3, 4, 5], batch_size=2, **settings)
  for seed, piece, mel in zip([3, 4, 5], pieces, together.mels, strict=True):
    assert_allclose(mel, pipe(piece, seed=seed, **settings).mels[0], atol=1e-3)  # of a range of 15.5
  assert not np.allclose(together.mels[0], pipe(pieces[0], seed=4, **settings).mels[0], atol=0.1)


def test_a_callback_sees_each_step_and_changes_nothing(pipe):
  seen_at = []
  settings = {'seed': 1, 'num_inference_steps': 5, 'sampler': 'dpmpp_2m_sde', 'output_type': 'mel'}
  output = pipe(melody(0.5), callback=lambda *at: seen_at.append((*at[:3], at[3].copy())), callback_steps=2, **settings)
  assert_allclose(output.mels, pipe(melody(0.5), **settings).mels, atol=1e-3)
  segments = pipe.segment_count(melody(0.5))
  assert [at[:3] for at in seen_at] == [(step, 5, segment) for segment in range(segments) for step in (2, 4, 5)]
  for step, _, segment, mel in seen_at:
    assert mel.shape == (1, min((segment + 1) * FRAMES, output.mels.shape[1]), 128)
    whole = mel.shape[1] if step == 5 else segment * FRAMES
    assert_array_equal(mel[:, :whole], output.mels[:, :whole])
    assert (mel[:, whole:] != output.mels[:, whole : mel.shape[1]]).any() or step == 5


def test_bfloat16_is_near_float32(tokens_pipe):
  exact, rough = (tokens_pipe(melody(0.5), dtype=dtype, output_type='mel').mels for dtype in ('float32', 'bfloat16'))
  assert np.abs(exact - rough).max() > 0
  assert np.abs(exact - rough).mean() < 0.1


def test_a_pipeline_moves_to_a_device_there_is(tokens_pipe):
  pipe = SpectrogramDiffusionPipeline(tokens_pipe.config, tokens_pipe.params, Loudness())
  assert pipe.to('cpu') is pipe
  assert pipe.device == jax.devices('cpu')[0]
  assert {leaf.device for leaf in jax.tree.leaves(pipe.params)} == {pipe.device}
  assert_array_equal(pipe(melody(0.5)).audios, tokens_pipe(melody(0.5)).audios)
  for name in ('tpu', 'abacus', 'cpu:99'):
    with pytest.raises(InputError, match=f"no device '{name}': JAX sees cpu:0"):
      pipe.to(name)


# With the spy.


def test_the_context_is_the_end_of_the_segment_before(pipe, seen):
  pipe(melody(1.0))
  assert_array_equal(seen[0].conditions.context_mask, 0)
  for before, after in itertools.pairwise(seen):
    assert_array_equal(after.conditions.context_mask, np.ones((1, CONTEXT)))
    assert_array_equal(after.conditions.context, before.mel[:, -CONTEXT:])


def test_a_context_longer_than_a_segment_reaches_further_back(seen):
  config = tiny_model('tokens', context_frames=24)
  pipe = SpectrogramDiffusionPipeline(config, None, Loudness())
  pipe(melody(1.0))
  assert_array_equal(seen[2].conditions.context, np.concatenate([seen[0].mel, seen[1].mel], axis=1)[:, -24:])


def test_a_recording_may_be_heard_in_place_of_what_was_played(pipe, seen):
  past = np.random.default_rng(0).normal(size=(60, 128)).astype(np.float32)
  score = pipe.score(melody(1.0))
  list(pipe.play([replace(score, past=past), score], pipe.sampling(), seed_keys(0, None, 2)))
  assert len(seen) > 3
  for segment, call in enumerate(seen[: 60 // FRAMES]):
    assert_array_equal(call.conditions.context_mask[0], segment > 0)
    if segment:
      assert_array_equal(call.conditions.context[0], past[segment * FRAMES - CONTEXT : segment * FRAMES])
      assert_array_equal(call.conditions.context[1], seen[segment - 1].mel[1, -CONTEXT:])


def test_or_nothing_at_all(pipe, seen):
  score = replace(pipe.score(melody(1.0)), past=np.zeros((0, 128), np.float32))
  list(pipe.play([score], pipe.sampling(), seed_keys(0, None, 1)))
  for call in seen:
    assert_array_equal(call.conditions.context_mask, 0)


def test_a_piece_may_be_longer_than_its_notes(pipe, seen):
  for notes in (melody(1.0), Notes.empty()):
    whole = score(notes, pipe.config, total=100)
    assert sum(len(at.mel) for at in pipe.play([whole], pipe.sampling(), seed_keys(0, None, 1))) == 100


def test_segments_join_to_the_piece(pipe, seen):
  output = pipe(melody(1.0))
  whole = np.concatenate([call.mel for call in seen], axis=1)
  assert_allclose(output.mels, unscale(whole)[:, : output.mels.shape[1]], atol=1e-5)
  assert len(seen) == -(-output.mels.shape[1] // FRAMES)
  assert len({call.mel.tobytes() for call in seen}) == len(seen)  # each its own noise


@pytest.mark.parametrize('end', [0.25, 0.28, 0.3, 0.6, 0.61])
def test_the_length_is_that_of_the_notes_and_a_tail(pipe, seen, end):
  notes = Notes.from_rows([(0.0, end, 60)])
  samples = pipe(notes).audios.shape[1]
  assert samples == pipe.frame_count(notes) * HOP
  assert 0 <= samples - (end + TAIL_SECONDS) * 16000 <= HOP
  assert (len(seen) - 1) * SEGMENT < samples <= len(seen) * SEGMENT
  assert pipe.segment_count(notes) == len(seen)


def test_tokens_are_those_of_the_song(tokens_pipe, seen):
  notes = melody(2.0)
  tokens_pipe(notes)
  rows = np.concatenate([call.conditions.notes for call in seen])
  expected = encode_song(song_events(notes, tokens_pipe.config.notes), tokens_pipe.frame_count(notes), FRAMES, length=64)
  assert_array_equal(rows, expected)


@pytest.mark.parametrize(('chord', 'length'), [(1, 256), (120, 256), (200, 512), (900, 2048)])
def test_rows_are_cut_to_a_few_lengths(seen, chord, length):
  pipe = SpectrogramDiffusionPipeline(tiny_model('tokens', note_length=2048), None, Loudness())
  pipe(Notes.from_rows([(0.0003 * n, 0.5, n % 60 + 20, 100, n // 60) for n in range(chord)]))
  assert {call.conditions.notes.shape for call in seen} == {(1, length)}


def test_aligned_notes_count_from_each_segments_start(aligned_pipe, seen):
  notes = melody(2.0)
  aligned_pipe(notes)
  for index, call in enumerate(seen):
    expected = aligned_notes(notes, index * FRAMES, FRAMES, aligned_pipe.config.notes)
    for name, column in expected.items():
      assert_allclose(getattr(call.conditions.notes, name)[0], column, atol=1e-5)


def test_rests_and_a_very_late_note(pipe, seen):
  notes = Notes.from_rows([(0.0, 0.2, 60), (2.0, 2.2, 64), (60.0, 60.2, 67)])
  mels = list(pipe.segments(notes, pipe.sampling()))
  assert sum(map(len, mels)) == pipe.frame_count(notes) == 61 * 50 + 11
  assert {int(call.conditions.context_mask.sum()) for call in seen[1:]} == {CONTEXT}
  last = seen[60 * 50 // FRAMES].conditions.notes
  if pipe.config.network.conditioning == 'aligned':
    assert last.mask.sum() == 1
  else:
    assert (last > 0).sum() > 3  # tie, shift, program, velocity, pitch, end


def test_a_two_hour_piece_is_played_as_it_is_asked_for(pipe, seen):
  onsets = np.arange(0, 7200, 2.0)
  notes = Notes.from_rows([(t, t + 1.9, 60) for t in onsets.tolist()])
  segments = pipe.segments(notes, pipe.sampling())
  assert inspect.isgenerator(segments)
  assert not seen
  next(segments)
  next(segments)
  assert len(seen) == 2
  assert pipe.segment_count(notes) == 22503


def test_settings_are_the_models_unless_given(pipe, seen):
  pipe(melody(0.5))
  assert seen[0].how == pipe.config.sampler == SamplerConfig('ddim', 2, 1.0)
  seen.clear()
  pipe(melody(0.5), num_inference_steps=7, guidance=3.0, sampler='ddpm')
  assert seen[0].how == SamplerConfig('ddpm', 7, 3.0)


@pytest.mark.parametrize(
  ('given', 'says'),
  [
    ({'num_inference_steps': 0}, '0 sampling steps, expected at least 1'),
    ({'guidance': float('nan')}, 'guidance is nan, expected a finite number'),
    ({'sampler': 'euler'}, "no sampler 'euler'; there are ddpm, ddim, dpmpp_2m, dpmpp_2m_sde"),
    ({'spacing': 'even'}, "no spacing 'even'; there are time, logsnr, power"),
    ({'guidance_interval': (3, -3)}, r'guidance_interval is \(3, -3\), expected two log-SNR, the lower first'),
    ({'guidance_interval': (3,)}, 'expected two log-SNR'),
    ({'dtype': 'float16'}, "dtype is 'float16', expected float32 or bfloat16"),
    ({'seed': [1, 2]}, '2 seeds for 1 pieces'),
    ({'generator': 'dice'}, 'seed is dice, expected 0 to 4294967295, a key of jax.random or a random generator'),
    ({'output_type': 'pt'}, "output_type is 'pt', expected numpy or mel"),
    ({'callback_steps': 0}, 'callback_steps is 0'),
    ({'batch_size': 0}, 'batch_size is 0'),
    ({'seed': -1}, 'seed is -1, expected 0 to 4294967295'),
    ({'seed': 2**70}, 'seed is 1180591620717411303424'),
  ],
)
def test_bad_settings_are_named(pipe, seen, given, says):
  with pytest.raises(InputError, match=says):
    pipe(melody(0.5), **given)
  assert not seen


def test_the_output_is_sound_or_mel_as_asked(pipe, seen):
  (audios,) = pipe(melody(0.5), return_dict=False)
  assert_array_equal(audios, pipe(melody(0.5), output_type='np').audios)
  mel = pipe(melody(0.5), output_type='mel')
  assert_array_equal(mel.audios, mel.mels)
  several = pipe([melody(0.5), melody(1.0)])
  assert [audio.shape for audio in several.audios] == [(len(mel) * HOP,) for mel in several.mels]
  assert_allclose(several.audios[0], audios[0], atol=1e-6)


def test_a_generator_draws_the_seed(pipe, seen):
  torch_like = SimpleNamespace(initial_seed=lambda: 2**32 + 7)
  play = lambda generator: pipe(melody(0.5), generator=generator).mels
  assert_array_equal(play(jax.random.key(7)), pipe(melody(0.5), seed=7).mels)
  assert_array_equal(play(torch_like), pipe(melody(0.5), seed=7).mels)
  random = np.random.default_rng(0)
  first = play(random)
  assert (first != play(random)).any()
  assert_array_equal(first, play(np.random.default_rng(0)))


def test_token_rows_are_played_as_their_file(pipe, seen, tmp_path):
  write_midi(melody(1.0), tmp_path / 'a.mid')
  config = pipe.config
  if config.network.conditioning == 'tokens':
    rows = MidiProcessor(config.notes, FRAMES)(tmp_path / 'a.mid')
    assert pipe(rows).mels.shape[1] == len(rows) * FRAMES  # whole segments, without a tail
    assert_array_equal(seen[1].conditions.notes[0], rows[1][:64])
  else:
    pipe(MidiProcessor()(tmp_path / 'a.mid'))
    told = seen[0].conditions.notes
    expected = aligned_notes(melody(1.0), 0, FRAMES, config.notes)
    assert_array_equal(told.pitch[0], expected['pitch'])
    assert_allclose(told.onset[0], expected['onset'], atol=0.26)  # the tokens' grid


def test_token_rows_that_do_not_fit_are_refused(tokens_pipe, seen):
  with pytest.raises(InputError, match='ids 0 to 9999, expected 0 to 1535'):
    tokens_pipe([[9999, 1, 0]])
  with pytest.raises(InputError, match='a row has 65 tokens, the model reads 64'):
    tokens_pipe(np.full((1, 65), 5))


class Sequence(SimpleNamespace):
  """What a NoteSequence looks like to a reader."""

  def SerializeToString(self):  # noqa: N802
    return b''


def test_path_bytes_notes_and_sequence_are_one_piece(pipe, seen, tmp_path):
  notes = Notes.from_rows([(0.0, 0.25, 60, 90), (0.25, 0.5, 64, 90)])
  path = tmp_path / 'a.mid'
  write_midi(notes, path)
  columns = ('onset', 'offset', 'pitch', 'velocity', 'program', 'is_drum')
  names = ('start_time', 'end_time', 'pitch', 'velocity', 'program', 'is_drum')
  rows = [{there: getattr(notes, here)[i] for here, there in zip(columns, names, strict=True)} for i in range(2)]
  sequence = Sequence(notes=[SimpleNamespace(**row, instrument=0) for row in rows], control_changes=[])
  told = []
  for piece in (path, str(path), path.read_bytes(), notes, sequence):
    seen.clear()
    pipe(piece)
    told.append([call.conditions.notes for call in seen])
  for other in told[1:]:
    jax.tree.map(lambda a, b: assert_allclose(a, b, atol=1e-3), other, told[0])


@pytest.mark.parametrize(
  ('piece', 'says'),
  [
    (Notes.empty(), 'the piece has no notes'),
    ({1: 2}, 'cannot play dict; give a path'),
    ([(0, 1, 60)], 'cannot play tuple; give a path'),
    ([], 'an empty list of pieces'),
    (None, 'cannot play NoneType'),
    (b'', 'empty, expected a MIDI file'),
    ('nowhere.mid', 'nowhere.mid: no such file'),
  ],
)
def test_what_is_no_piece_is_refused(pipe, piece, says):
  with pytest.raises(InputError, match=says):
    pipe(piece)


CROWD = Notes.from_rows([(0.3 + 1e-4 * n, 0.4, n % 100 + 20, n % 90 + 20, n // 100) for n in range(600)])


@pytest.mark.parametrize('conditioning', ['tokens', 'aligned'])
def test_notes_that_do_not_fit_are_left_out_with_a_warning(conditioning, seen):
  pipe = SpectrogramDiffusionPipeline(tiny_model(conditioning), None, Loudness())
  with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    pipe(CROWD)
  texts = [str(each.message) for each in said if each.category is InputWarning]
  assert texts
  assert all('left out' in text for text in texts)
  assert len(set(texts)) == len(texts)  # once each
  with pytest.raises(InputError, match='room is for'):
    pipe(CROWD, strict=True)


def test_strict_is_content_with_what_fits(pipe, seen):
  pipe(melody(1.0), strict=True)
  assert seen


def test_loading_gives_griffin_lim_unless_told(tmp_path):
  pipe = make('tokens')
  save_pretrained(tmp_path / 'model', pipe.config, pipe.params)
  loaded = SpectrogramDiffusionPipeline.from_pretrained(tmp_path / 'model')
  assert loaded.config == pipe.config
  assert loaded.inverter.mel == pipe.config.mel  # pyright: ignore[reportAttributeAccessIssue]
  inverter = Loudness()
  assert SpectrogramDiffusionPipeline.from_pretrained(tmp_path / 'model', inverter).inverter is inverter
