"""`mt3-synth evaluate`, with a model of the smallest sizes that was never trained and an inverter that compiles nothing."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth import cli
from mt3_synth.audio.files import read_audio, read_audio_int16
from mt3_synth.evaluation import job, records
from mt3_synth.models.pretrained import save_pretrained
from mt3_synth.notes import Notes, read_midi
from tests.data.tiny import HOP, melody, sound, tiny_model, tiny_params, write_track

GUITAR = {'program_num': 24, 'is_drum': False}


class Noise:
  """An inverter: noise as loud as its frames, always the same."""

  def __init__(self, mel):
    self.mel = mel

  def __call__(self, mel):
    level = np.exp(np.asarray(mel).mean(-1) / 2)
    noise = np.random.default_rng(0).uniform(-1, 1, (len(mel), level.shape[1] * HOP))
    return (0.1 * noise * np.repeat(level, HOP, axis=1)).astype(np.float32)

  def stream(self, mels):
    return map(self, mels)


@pytest.fixture(scope='module')
def model(tmp_path_factory):
  folder = tmp_path_factory.mktemp('models') / 'tiny'
  save_pretrained(folder, tiny_model('aligned'), tiny_params('aligned'))
  return folder


@pytest.fixture
def corpus(tmp_path):
  for number, seconds in enumerate((2.0, 1.3, 1.0)):
    write_track(tmp_path / 'corpus' / 'test' / f'song{number}', {'S00': (melody(seconds, seed=number), GUITAR)}, sound(seconds, number))
  return tmp_path / 'corpus'


@pytest.fixture
def evaluate(model, corpus, tmp_path, capsys, monkeypatch):
  """Runs the verb and returns (status, folder, stdout, stderr)."""
  monkeypatch.setattr('mt3_synth.pipeline.choose_inverter', lambda name, mel, beside: Noise(mel))

  def run(*options, out='out', corpus=corpus):
    command = ['evaluate', '--checkpoint', str(model), '--corpus', str(corpus), '--out', str(tmp_path / out), '--batch_size', '1']
    status = cli.main([*command, *options])
    printed = capsys.readouterr()
    return status, tmp_path / out, printed.out, printed.err

  return run


def values(folder: Path) -> dict:
  """All that was measured, without times."""
  return {result.song: (result.status, result.systems) for result in records.read_songs(folder)}


def test_each_song_is_measured_and_kept(evaluate, corpus):
  status, folder, out, _ = evaluate('--per_minute')
  assert status == 0
  evaluation = records.read_evaluation(folder)
  assert evaluation.songs == ('song0', 'song1', 'song2')
  assert evaluation.sampler['steps'] == 2
  assert evaluation.config['network']['conditioning'] == 'aligned'
  for result in records.read_songs(folder):
    track = corpus / 'test' / result.song
    recording = read_audio_int16(track / 'mix.flac')
    assert result.status == 'ok'
    assert result.seconds == len(recording) / 16000
    assert result.metrics('prediction').keys() == result.metrics('ceiling').keys()
    assert result.metrics('prediction')['mel_l1'] > 0
    assert [each['minute'] for each in result.systems['prediction']['per_minute']] == [0]
    assert_array_equal(read_audio_int16(records.audio_file(folder, result.song, 'target')), recording)
    for system in ('prediction', 'ceiling'):
      assert len(read_audio(records.audio_file(folder, result.song, system))) == len(recording)
    assert {name: len(mel) for name, mel in records.read_mels(folder, result.song).items()} == dict.fromkeys(
      records.SYSTEMS, -(-len(recording) // HOP)
    )
    assert records.read_embeddings(folder, result.song)['target/logmel_stats'].shape == (int(result.seconds), 128)
    notes, given = read_midi(records.notes_file(folder, result.song)), read_midi(track / 'MIDI' / 'S00.mid')
    assert_array_equal(notes.pitch, given.pitch)
    assert_allclose(notes.onset, given.onset, atol=1e-3)
  pooled = records.read_pooled(folder)
  assert (pooled['songs'], pooled['failed'], pooled['windows']['logmel_stats']['n']) == (3, 0, 4)
  assert pooled['windows']['logmel_stats']['few']
  assert pooled['systems']['prediction']['logmel_stats_frechet'] > 0
  of_songs = [result.metrics('prediction')['mel_l1'] for result in records.read_songs(folder)]
  assert pooled['systems']['prediction']['mel_l1'] == pytest.approx(np.mean(of_songs))
  assert 'fewer than its dimensions' in out


def test_a_song_is_what_it_is_alone_whatever_is_played_beside_it(evaluate):
  together = values(evaluate('--batch_size', '2', out='together')[1])
  alone = values(evaluate('--songs', 'song1', out='alone')[1])
  for system in ('prediction', 'ceiling'):
    one, other = (each['song1'][1][system]['metrics'] for each in (together, alone))
    assert_allclose(list(one.values()), list(other.values()), rtol=1e-3)
  other_seed = values(evaluate('--seed', '1', out='seed')[1])
  assert other_seed['song1'][1]['prediction'] != together['song1'][1]['prediction']
  assert other_seed['song1'][1]['ceiling'] == together['song1'][1]['ceiling']


def test_what_segments_hear_changes_the_prediction_and_nothing_else(evaluate):
  found = {context: values(evaluate('--context', context, out=context)[1]) for context in ('predicted', 'ground_truth', 'masked')}
  predictions = {json.dumps(each['song0'][1]['prediction']) for each in found.values()}
  assert len(predictions) == 3
  assert len({json.dumps(each['song0'][1]['ceiling']) for each in found.values()}) == 1


def test_the_same_command_goes_on_and_ends_with_the_same_values(evaluate, monkeypatch):
  expected = values(evaluate(out='whole')[1])
  finished = job.Evaluator._finished

  def stopped(self, song, *rest):
    if song.name == 'song2':
      raise KeyboardInterrupt
    return finished(self, song, *rest)

  with monkeypatch.context() as patch:
    patch.setattr(job.Evaluator, '_finished', stopped)
    status, folder, _, err = evaluate()
  assert status == 130
  assert 'interrupted' in err
  assert set(values(folder)) == {'song0', 'song1'}
  before = {path: path.stat().st_mtime_ns for path in (folder / 'songs').iterdir()}
  status, folder, _, _ = evaluate()
  assert status == 0
  assert all(path.stat().st_mtime_ns == when for path, when in before.items())
  for song, (state, systems) in values(folder).items():
    assert state == 'ok'
    assert_allclose(list(systems['prediction']['metrics'].values()), list(expected[song][1]['prediction']['metrics'].values()), rtol=1e-3)


def test_a_song_that_fails_takes_no_other_with_it_and_is_tried_again(evaluate, corpus):
  track = corpus / 'test' / 'song1'
  audio = (track / 'mix.flac').read_bytes()
  (track / 'mix.flac').write_bytes(audio[: len(audio) // 2])
  status, folder, _, err = evaluate()
  assert status == 3
  assert '1 failed:\n  song1: ' in err
  found = {result.song: result for result in records.read_songs(folder)}
  assert [found[f'song{number}'].status for number in range(3)] == ['ok', 'failed', 'ok']
  assert 'mix.flac' in found['song1'].error
  assert records.read_pooled(folder)['failed'] == 1
  (track / 'mix.flac').write_bytes(audio)
  assert evaluate()[0] == 0
  assert values(folder)['song1'][0] == 'ok'


def test_a_fault_while_songs_are_played_is_that_of_one_song(evaluate, monkeypatch):
  aligned_row = job.playing.score

  def broken(notes, config, **rest):
    score = aligned_row(notes, config, **rest)
    if len(notes) == len(melody(1.3)):
      return job.replace(score, row=lambda *_: 1 / 0)
    return score

  monkeypatch.setattr(job.playing, 'score', broken)
  status, folder, _, err = evaluate()
  assert status == 3
  assert 'song1: ZeroDivisionError: division by zero' in err
  assert [state for state, _ in values(folder).values()] == ['ok', 'failed', 'ok']


def test_a_model_that_draws_no_numbers_fails_song_by_song(evaluate, monkeypatch):
  monkeypatch.setattr(Noise, '__call__', lambda self, mel: np.full((1, mel.shape[1] * HOP), np.nan, np.float32))
  status, folder, _, err = evaluate()
  assert status == 3
  assert 'the sound has 32000 samples of 32000 that are NaN or infinite' in err
  assert records.read_pooled(folder)['songs'] == 0


def test_silence_and_a_clip_shorter_than_a_window_are_measured(evaluate, corpus):
  write_track(corpus / 'test' / 'silent', {'S00': (Notes.from_rows([(0, 0.1, 60)]), GUITAR)}, np.zeros(20000, np.int16))
  write_track(corpus / 'test' / 'short', {'S00': (Notes.from_rows([(0, 0.1, 60)]), GUITAR)}, sound(0.1))
  status, folder, _, err = evaluate('--songs', 'silent', 'short')
  assert status == 0, err
  assert 'silent: prediction: the recording is silent: chroma and MR-STFT' in err
  assert 'short: prediction: shorter (0.10 s) than a window of logmel_stats' in err
  assert {state for state, _ in values(folder).values()} == {'ok'}


def test_only_some_songs_and_seconds_and_no_audio(evaluate):
  status, folder, _, _ = evaluate('--max_songs', '2', '--max_seconds', '1.2', '--no_audio')
  assert status == 0
  assert [result.seconds for result in records.read_songs(folder)] == [1.2, 1.2]
  assert list((folder / 'audio').iterdir()) == []
  status, folder, _, _ = evaluate('--max_seconds', '1.2', '--no_audio', '--batch_size', '3')  # more songs may be asked for
  assert status == 0
  assert len(values(folder)) == 3


@pytest.mark.parametrize(
  ('options', 'says'),
  [
    (['--songs', 'song9'], 'song9: no such song in .*they are called, for example, song0, song1, song2'),
    (['--max_seconds', '0'], '--max_seconds is 0.0, expected more than 0'),
    (['--split', 'train'], 'no tracks under train'),
    (['--no_audio', '--transcriber', 'x=true {inputs} {outputs}'], 'hears the sounds that --no_audio does not keep'),
    (['--embedder', 'logmel_stats', '--embedder', 'logmel_stats=tests.evaluation.test_embedders:Levels'], 'name one twice'),
    (['--seed', '-1'], '--seed is -1'),
    (['--steps', '0'], '0 sampling steps'),
  ],
)
def test_what_can_not_be_done_is_told_at_once(evaluate, tmp_path, options, says):
  status, folder, out, err = evaluate(*options)
  assert (status, out) == (2, '')
  assert len(err.splitlines()) == 1
  assert re.search(says, err)
  assert not folder.exists()


def test_a_folder_of_something_else_is_left_alone(evaluate, tmp_path):
  assert evaluate('--max_songs', '1')[0] == 0
  status, _, _, err = evaluate('--max_songs', '1', '--seed', '5')
  assert status == 2
  assert 'holds another evaluation (seed: 0, now 5); give the same options' in err
  status, _, _, err = evaluate('--max_songs', '1', '--steps', '1')
  assert 'sampler.steps: 2, now 1' in err
  (tmp_path / 'full').mkdir()
  (tmp_path / 'full' / 'thesis.tex').write_text('')
  status, _, _, err = evaluate(out='full')
  assert status == 2
  assert 'is not empty, and no evaluation' in err


# What "transcribes" in these tests: gives the notes of the evaluation.
LISTENER = """
import sys, pathlib, shutil
outputs, notes, *files = sys.argv[1:]
for file in files:
  number = int(pathlib.Path(file).stem.partition('-')[0])
  shutil.copy(sorted(pathlib.Path(notes).glob('*.mid'))[number], pathlib.Path(outputs) / (pathlib.Path(file).stem + '.mid'))
"""


def test_transcriptions_are_scored_for_the_model_the_ceiling_and_the_recording(evaluate, tmp_path):
  (tmp_path / 'listen.py').write_text(LISTENER)
  listener = f'ear={sys.executable} {tmp_path / "listen.py"} {{outputs}} {tmp_path / "out" / "notes"} {{inputs}}'
  assert evaluate('--max_songs', '1')[0] == 0
  status, folder, out, _ = evaluate('--transcriber', listener)  # added later, to two songs more
  assert status == 0
  assert records.read_evaluation(folder).transcribers.keys() == {'ear'}
  for result in records.read_songs(folder):
    for system in records.SYSTEMS:
      metrics = result.metrics(system)
      assert metrics['transcription_ear_full_onset_offset_f1'] == 1
      assert metrics['onset_error_median_ms'] == 0
      assert records.transcription_file(folder, result.song, system, 'ear').is_file()
  assert 'ear flat onset F1' in out
  written = {path: path.stat().st_mtime_ns for path in (folder / 'songs').iterdir()}
  evaluate('--transcriber', listener)
  assert written == {path: path.stat().st_mtime_ns for path in (folder / 'songs').iterdir()}  # nothing was left to do


def test_what_is_missing_is_told_and_all_else_goes_on(evaluate):
  options = ['--embedder', 'logmel_stats', '--embedder', 'trill=/nowhere', '--transcriber', 'mine=no-such-program {inputs} {outputs}']
  status, folder, _, err = evaluate('--max_songs', '1', *options)
  assert status == 3
  assert "warning: transcriber mine: there is no program 'no-such-program'" in err
  assert 'warning: embedder trill: /nowhere has no saved_model.pb' in err
  assert values(folder)['song0'][0] == 'ok'
  assert records.read_evaluation(folder).embedders.keys() == {'logmel_stats'}


def test_a_transcriber_that_fails_is_told_and_tried_again(evaluate, tmp_path):
  (tmp_path / 'listen.py').write_text('import sys; sys.exit("deaf")')
  listener = f'ear={sys.executable} {tmp_path / "listen.py"} {{outputs}} {{inputs}}'
  for _ in range(2):
    status, folder, _, err = evaluate('--max_songs', '1', '--transcriber', listener)
    assert status == 3
    assert 'song0: prediction: transcriber ear: wrote no MIDI file; it ended with status 1: deaf' in err
    assert len(records.read_songs(folder)[0].warnings) == 3


def test_on_beam_values_are_the_same_and_the_model_is_loaded_once_a_worker(evaluate, corpus, tmp_path, monkeypatch):
  pytest.importorskip('apache_beam')
  expected = values(evaluate(out='here')[1])
  loaded = []
  load = job.Evaluator.__init__
  monkeypatch.setattr(job.Evaluator, '__init__', lambda self, *rest: (loaded.append(1), load(self, *rest))[1])
  (corpus / 'test' / 'song2' / 'mix.flac').write_bytes(b'')
  listener = f'ear={sys.executable} -c pass {{outputs}} {{inputs}}'
  options = ['--direct_num_workers=1', '--direct_running_mode=in_memory']
  status, folder, _, err = evaluate('--transcriber', listener, '--runner', 'DirectRunner', '--', *options, out='beam')
  assert status == 3
  assert 'song2: ' in err
  assert len(loaded) == 2  # one to see that all is well, and one of the worker
  found = values(folder)
  assert [state for state, _ in found.values()] == ['ok', 'ok', 'failed']
  for song in ('song0', 'song1'):
    assert found[song][1]['prediction']['metrics'] == expected[song][1]['prediction']['metrics']
  assert 'transcriber ear: wrote no MIDI file' in ' '.join(records.read_songs(folder)[0].warnings)


def test_options_of_beam_are_looked_at(evaluate):
  status, _, _, err = evaluate('--', '--flink_master=x')
  assert status == 2
  assert '--flink_master=x: options for Beam need --runner' in err


@pytest.mark.slow  # three processes
@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_goes_on_and_ends_with_the_same_values(model, corpus, tmp_path, how):
  def start(out):
    options = ['--out', str(tmp_path / out), '--batch_size', '1']
    command = [sys.executable, '-m', 'mt3_synth.cli', 'evaluate', '--checkpoint', str(model), '--corpus', str(corpus), *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

  process = start('out')
  deadline = time.monotonic() + 300
  while process.poll() is None and not list((tmp_path / 'out').glob('songs/*.json')):
    assert time.monotonic() < deadline
    time.sleep(0.002)
  process.send_signal(how)
  process.communicate()
  assert process.returncode == -how
  before = values(tmp_path / 'out')
  assert 1 <= len(before) < 3
  for out in ('out', 'whole'):
    process = start(out)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
  assert not list((tmp_path / 'out').rglob('.*.part'))
  found, expected = values(tmp_path / 'out'), values(tmp_path / 'whole')
  assert found == expected
  assert all(found[song] == measured for song, measured in before.items())
