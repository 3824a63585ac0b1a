"""Notes told to the frames where they sound: an attention whose weights are known from the score.

The condition of frame t is h_t = sum over notes m and basis functions k of phi_k(t - onset_m, t - offset_m) V_k e_m.  The network need
not learn which frame a note token means, only what the note sounds like.  Beside this linear sum, which the layers above turn into
sound, the encoder adds up the notes' magnitudes, since that is what sounds do.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.audio.mel import mel_basis, scale
from mt3_synth.config import MelConfig, NetworkConfig
from mt3_synth.models.layers import DROPOUT_BROADCAST, Dense, Embed

PROGRAMS = 129  # 128 is the drum kit
PITCHES = 256  # drums have their own half
FRAME_CENTRE = 1.0  # a frame's window is two hops long: its centre lies one hop after its start
ATTACKS = (-1.0, 0.0, 1.0, 2.0, 4.0)  # centres of onset pulses, frames
DECAYS = (3.0, 8.0, 20.0, 50.0, 150.0)  # time constants while the note is held, frames
HITS = (3.0, 8.0, 20.0, 50.0)  # of sounds that ring whether held or not
RELEASES = (2.0, 6.0, 20.0, 60.0)  # after the release
QUIET = 2.0  # amplitudes start at e^-2 and below
small_init = nn.initializers.variance_scaling(0.1, 'fan_in', 'truncated_normal')
BASIS = 1 + len(ATTACKS) + len(DECAYS) + len(HITS) + len(RELEASES)


class AlignedNotes(NamedTuple):
  """The notes of a segment, [B, M] each."""

  onset: jax.Array  # frames from the segment's start, fractions kept; may lie outside
  offset: jax.Array
  pitch: jax.Array  # 0-127; drums 128-255
  program: jax.Array  # 0-127; drums 128
  velocity: jax.Array  # [0, 1]
  mask: jax.Array  # 0 where padded


def basis(notes: AlignedNotes, frames: int) -> jax.Array:
  """phi [B, T, M, K]: how strongly each frame hears each note's attack, body and release."""
  centre = jnp.arange(frames)[None, :, None] + FRAME_CENTRE
  age = centre - notes.onset[:, None, :]
  rest = centre - notes.offset[:, None, :]
  begun = jnp.clip(age + 0.5, 0, 1)  # edges are as wide as a hop, so timing finer than a frame is kept
  held = begun * jnp.clip(0.5 - rest, 0, 1)
  ended = begun * jnp.clip(rest + 0.5, 0, 1)
  age, rest = jnp.maximum(age, 0), jnp.maximum(rest, 0)
  raw_age = centre - notes.onset[:, None, :]
  phi = [held]
  phi += [jnp.maximum(1 - jnp.abs(raw_age - at), 0) for at in ATTACKS]
  phi += [held * jnp.exp(-age / decay) for decay in DECAYS]
  phi += [begun * jnp.exp(-age / decay) for decay in HITS]
  phi += [ended * jnp.exp(-rest / release) for release in RELEASES]
  return jnp.stack(phi, axis=-1) * (notes.mask[:, None, :, None] > 0)


def harmonic_combs(key, shape, dtype=jnp.float32):
  """Where the harmonics of each pitch lie in the mel, as logarithms [PITCHES, D] below 0; flat for drums.

  Told at the start and trained on, since neighbouring pitches differ by a fraction of a band: found from nothing they blur.
  """
  del key
  config = MelConfig(bands=shape[1])
  bins = np.arange(config.fft // 2 + 1) * config.sample_rate / config.fft
  combs = np.zeros(shape)
  for pitch in range(128):
    harmonics = 440 * 2 ** ((pitch - 69) / 12) * np.arange(1, 60)
    harmonics = harmonics[harmonics < config.high_hz]
    if not len(harmonics):
      continue
    x = (bins - harmonics[:, None]) * config.window / config.sample_rate
    with np.errstate(divide='ignore', invalid='ignore'):  # the Hann window's transform, 0.5 one bin from the centre
      lobe = np.where(np.abs(np.abs(x) - 1) < 1e-6, 0.5, np.abs(np.sinc(x) / (1 - x**2)))
    mel = (lobe / np.arange(1, len(harmonics) + 1)[:, None]).sum(axis=0) @ mel_basis(config)
    combs[pitch] = np.log(mel / mel.max() + 1e-3)
  return jnp.asarray(combs, dtype)


class AlignedNoteEncoder(nn.Module):
  """AlignedNotes [B, M] -> h [B, T, E], and the scaled log-mel [B, T, D] that the notes' magnitudes add up to."""

  config: NetworkConfig

  @nn.compact
  def __call__(self, notes: AlignedNotes, deterministic: bool):
    c = self.config
    features = c.note_features
    table = lambda rows, name: Embed(rows, features, nn.initializers.normal(0.5), name=name)
    program = table(PROGRAMS, 'program').take(notes.program)
    pitch = table(PITCHES, 'pitch').take(notes.pitch)
    # A product of two tables tells each (program, pitch) pair apart at the cost of a low-rank table.
    pair = table(PROGRAMS, 'program_of_pair').take(notes.program) * table(PITCHES, 'pitch_of_pair').take(notes.pitch)
    loudness = jnp.stack([notes.velocity, jnp.square(notes.velocity)], axis=-1)
    e = program + pitch + Dense(features, ('embed', 'embed'), c.dtype, name='pair')(pair)
    e = e + Dense(features, ('embed', 'embed'), c.dtype, name='velocity')(loudness)
    e = nn.gelu(Dense(2 * features, ('embed', 'mlp'), c.dtype, name='hidden')(e))
    e = Dense(features, ('mlp', 'embed'), c.dtype, name='note')(e)
    phi = basis(notes, c.target_frames).astype(c.dtype)
    heard = jnp.einsum('btmk,bmf->btkf', phi, e)
    h = Dense(c.emb_dim, ('embed', 'embed'), c.dtype, name='frame')(heard.reshape(*heard.shape[:2], -1))
    level = self._spectrum(phi.astype(jnp.float32), e, notes.pitch)
    h = h + Dense(c.emb_dim, ('vocab', 'embed'), c.dtype, name='spectrum')(level)
    return nn.Dropout(c.dropout, DROPOUT_BROADCAST)(h, deterministic), level

  def _spectrum(self, phi, e, pitch):
    """The scaled log-mel [B, T, D] of the notes as a sum of magnitudes: each note's bands decay on their own, from its pitch's comb."""
    bands = self.config.mel_bands
    amplitude = Dense(BASIS * bands, ('embed', 'mlp'), 'float32', small_init, name='amplitude')(e).reshape(*e.shape[:2], BASIS, bands)
    comb = Embed(PITCHES, bands, harmonic_combs, name='comb').take(pitch)
    weight: Any = self.param('comb_weight', nn.with_logical_partitioning(nn.initializers.ones, ('mlp',)), (BASIS,), jnp.float32)
    magnitude = jnp.exp(amplitude + weight[:, None] * comb[:, :, None, :] - QUIET)
    spectrum = jnp.einsum('btmk,bmkd->btd', phi, magnitude)
    return scale(jnp.log(spectrum + MelConfig.floor))
