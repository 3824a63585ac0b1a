"""How far an inverter's sound is from the recording, by spectra that know no phase, and what its first blocks should have told."""

import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.audio.mel import log_mel
from mt3_synth.audio.spectrum import power
from mt3_synth.config import InverterConfig, MelConfig
from mt3_synth.inverter.generator import Heard, Played, centre_turns
from mt3_synth.inverter.spectra import stft

RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))  # FFT, hop, window [samples] (Yamamoto, Song, Kim 2020)
SCALES = (2048, 1024, 512, 256, 128, 64)  # windows [samples], hopped by a quarter (Engel et al. 2020)
_POWER_FLOOR = 1e-8


def played_losses(config: InverterConfig, played: Played, audio, mel) -> dict[str, jax.Array]:
  """All parts of `InverterLossConfig` that know the recording; `scales` only where it has a weight.

  Args:
    config: of the inverter.
    played: of T frames.
    audio: [B, at least T hop] the recording.
    mel: [B, T, D] its log-mel.
  """
  hop = config.mel.hop
  inner = slice(hop, played.sound.shape[1] - hop)  # at the ends less than two windows make a sample
  recorded, made, unprojected = audio[:, inner], played.sound[:, inner], played.unprojected[:, inner]
  stft_of = lambda sound: jnp.stack([_stft_distance(recorded, sound, *each) for each in RESOLUTIONS]).mean()
  mel_of = lambda sound: jnp.abs(log_mel(sound, config.mel) - mel)[:, 1:-2].mean()  # the last frames hear beyond the sound
  losses = {'stft': stft_of(made), 'mel': mel_of(played.sound)}
  losses['unprojected'] = stft_of(unprojected) + mel_of(played.unprojected)
  if config.loss.scales:
    losses['scales'] = jnp.stack([_scale_distance(recorded, made, fft) for fft in SCALES]).sum()
  return losses | _hearing_losses(played.heard, audio, config.mel)


def _stft_distance(a, b, fft, hop, window):
  a, b = (jnp.maximum(power(each, fft, hop, window), _POWER_FLOOR) for each in (a, b))
  apart = jnp.square(jnp.sqrt(a) - jnp.sqrt(b)).sum((1, 2))
  return (jnp.sqrt(apart + _POWER_FLOOR) / jnp.sqrt(a.sum((1, 2)))).mean() + jnp.abs(jnp.log(a / b)).mean() / 2


def _scale_distance(a, b, fft):
  a, b = (jnp.sqrt(power(each, fft, fft // 4, fft) + _POWER_FLOOR**2) for each in (a, b))
  return jnp.abs(a - b).mean() + jnp.abs(jnp.log((a + 1e-5) / (b + 1e-5))).mean()


def _hearing_losses(heard: Heard, audio, config: MelConfig) -> dict[str, jax.Array]:
  """The parts `magnitude` and `advance`: the linear spectrum of the recording, which mel features do not tell in full.

  Args:
    heard: of T frames.
    audio: [B, at least T hop] the recording.
    config: of the features.
  """
  spectrum = stft(audio, config)[:, : heard.magnitude.shape[1]]
  size = jnp.abs(spectrum)
  floored = lambda x: jnp.log(jnp.maximum(x, np.sqrt(_POWER_FLOOR)))
  magnitude = jnp.abs(floored(heard.magnitude) - floored(size))[..., 1:-1].mean()  # bands have neither end
  turned = spectrum * np.exp(2j * np.pi * centre_turns(config)).astype(np.complex64)
  own = np.exp(-2j * np.pi * np.arange(size.shape[-1]) * config.hop / config.fft).astype(np.complex64)
  moved = turned[:, 1:] * jnp.conj(turned[:, :-1]) * own
  moved = moved / jnp.maximum(jnp.abs(moved), 1e-12)
  # Louder bins count more, by their share of the frame.
  weight = jnp.sqrt(size[:, 1:] * size[:, :-1] + 1e-12)
  weight = weight / (weight.mean((-1), keepdims=True) + 1e-3)
  told = heard.advance[:, 1:]
  off = jnp.square(told[..., 0] - moved.real) + jnp.square(told[..., 1] - moved.imag)
  return {'magnitude': magnitude, 'advance': (jnp.minimum(weight, 10) * off).mean()}
