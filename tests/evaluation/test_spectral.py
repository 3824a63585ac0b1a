import numpy as np
import pytest

from mt3_synth.audio.files import read_audio
from mt3_synth.data.songs import EMBEDDED
from mt3_synth.errors import InputError
from mt3_synth.evaluation.spectral import RESOLUTIONS, SCALES, correlation, mel_l1, mr_stft, multi_scale_spectral


def sounds(samples=20000, seed=0):
  rng = np.random.default_rng(seed)
  target = 0.3 * np.sin(np.arange(samples) * 0.05) + 0.1 * rng.normal(size=samples)
  return target.astype(np.float32), (0.7 * target + 0.05 * rng.normal(size=samples)).astype(np.float32)


def test_l1_by_hand():
  assert mel_l1(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [4.0, 4.0]])) == 0.75


def test_the_longer_is_cut():
  short, long = np.zeros((2, 3)), np.concatenate([np.zeros((2, 3)), np.full((5, 3), 9.0)])
  assert mel_l1(short, long) == mel_l1(long, short) == 0
  target, predicted = sounds()
  for distance in (mr_stft, multi_scale_spectral):
    assert distance(target[:9000], predicted) == distance(target, predicted[:9000]) == distance(target[:9000], predicted[:9000])


def test_correlation_ignores_scale_and_sees_the_sign():
  x = np.arange(6.0).reshape(3, 2)
  assert correlation(x, 2 * x + 5) == pytest.approx(1)
  assert correlation(x, -x) == pytest.approx(-1)
  assert np.isnan(correlation(x, np.zeros((3, 2))))


@pytest.mark.slow  # for librosa's import
@pytest.mark.parametrize('samples', [2000, 70001])
def test_multi_resolution_distance_is_that_of_another_librarys_transform(samples):
  """auraloss's formula on librosa's STFT, which centres, pads and mirrors as torch's does."""
  librosa = pytest.importorskip('librosa', reason='librosa is not installed: pip install librosa')
  target, predicted = sounds(samples)
  expected = []
  for fft, hop, window in RESOLUTIONS:
    stft = lambda x: librosa.stft(x, n_fft=fft, hop_length=hop, win_length=window, window='hann', pad_mode='reflect')  # noqa: B023
    s, p = (np.sqrt(np.maximum(np.abs(stft(x)).astype(np.float64) ** 2, 1e-8)) for x in (target, predicted))
    expected.append(np.linalg.norm(s - p) / np.linalg.norm(s) + np.abs(np.log(s) - np.log(p)).mean())
  assert mr_stft(target, predicted) == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.slow  # for torch's import
def test_multi_resolution_distance_is_that_of_auraloss():
  how = 'auraloss is not installed: pip install torch, and pip install --no-deps auraloss'
  torch, auraloss = pytest.importorskip('torch', reason=how), pytest.importorskip('auraloss', reason=how)
  piano, quartet = (read_audio(EMBEDDED / 'test' / track / 'mix.flac')[:160000] for track in ('Track00020', 'Track00021'))
  distance = auraloss.freq.MultiResolutionSTFTLoss(*([each[k] for each in RESOLUTIONS] for k in range(3)))
  for target, predicted in (sounds(), sounds(2000, seed=1), (piano, 0.9 * piano), (piano, quartet), (quartet, piano)):
    expected = float(distance(*(torch.tensor(each)[None, None] for each in (predicted, target))))
    assert mr_stft(target, predicted) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('samples', [1100, 20000])
def test_multi_resolution_distance_frame_by_frame(samples):
  target, predicted = sounds(samples)
  expected = []
  for fft, hop, size in RESOLUTIONS:
    window = np.zeros(fft)
    window[(fft - size) // 2 :][:size] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    mirrored = (np.concatenate([x[fft // 2 : 0 : -1], x, x[-2 : -fft // 2 - 2 : -1]]).astype(np.float64) for x in (target, predicted))
    powers = (np.abs(np.fft.rfft([x[at : at + fft] * window for at in range(0, samples + 1, hop)])) ** 2 for x in mirrored)  # noqa: B023
    s, p = (np.sqrt(np.maximum(power, 1e-8)) for power in powers)
    expected.append(np.linalg.norm(s - p) / np.linalg.norm(s) + np.abs(np.log(s) - np.log(p)).mean())
  assert mr_stft(target, predicted) == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize('samples', [100, 20000])
def test_multi_scale_distance_frame_by_frame(samples):
  target, predicted = sounds(samples)
  expected = 0
  for fft in SCALES:
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(fft) / fft)
    starts = range(0, samples, fft // 4)
    cut = lambda x, at: np.pad(x[at : at + fft], (0, fft - len(x[at : at + fft]))) * window  # noqa: B023
    s, p = (np.abs(np.fft.rfft([cut(x.astype(np.float64), at) for at in starts])) for x in (target, predicted))
    expected += np.abs(s - p).mean() + np.abs(np.log(s + 1e-5) - np.log(p + 1e-5)).mean()
  assert multi_scale_spectral(target, predicted) == pytest.approx(expected, rel=1e-5)


def test_twice_as_loud_by_hand():
  """S and 2 S: the convergence is 1, logarithms differ by ln 2 wherever S is above the floor."""
  target = sounds()[0]
  assert mr_stft(target, 2 * target) == pytest.approx(1 + np.log(2), rel=1e-4)


def test_a_sound_is_nowhere_from_itself_nor_is_silence():
  for sound in (sounds()[0], np.zeros(20000)):
    assert mr_stft(sound, sound) == multi_scale_spectral(sound, sound) == 0
  assert np.isfinite(mr_stft(np.zeros(9000), sounds()[0]))


@pytest.mark.parametrize('distance', [mr_stft, multi_scale_spectral])
def test_what_is_no_sound_is_told(distance):
  with pytest.raises(InputError, match='NaN or infinite'):
    distance(np.full(2000, np.nan), np.zeros(2000))
  with pytest.raises(InputError, match='expected at least 2'):
    distance(np.zeros(1), np.zeros(2000))
