"""The trained inverter's network: mel -> linear spectrogram -> phases -> a first sound -> the sound.

1. Blocks over the mel (ConvNeXt's, as Vocos has them: Siuzdak 2023) tell each bin's magnitude and by how much its phase advances to the
   next frame.  Both follow from a mel, which no phase does: a network of convolutions that hears a steady tone hears the same in each
   frame, so it can give none but the pitches that repeat with the hop.
2. Phases are those advances summed up along time, each bin's from the peak it belonged to (Laroche, Dolson 1999).  Only this looks back
   without end, and all that it keeps is one phase a bin: see `start` and `stop` in `waveform`.
3. Some iterations of Griffin-Lim at those magnitudes make a first sound.  More blocks hear how its spectrum agrees with itself, over
   neighbouring frames and bins, and turn and scale each bin.
4. Projections towards the mel, with learned steps, take what the network leaves of the difference.

All else is convolution: frame t depends on frames within `reach` of it, and normalisation is over channels alone.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mt3_synth.config import GeneratorConfig, InverterConfig, MelConfig
from mt3_synth.inverter.spectra import nearest_peaks, overlap_add, spread, stft, towards

_QUIET = 1e-6  # of magnitudes: below it phases mean nothing
_GAIN = 6.0  # [ln] the network changes magnitudes by no more
_MEL_UPDATES = 2  # of the magnitudes it tells


class Heard(NamedTuple):
  """What the mel alone tells.  F is fft / 2 + 1."""

  hidden: jax.Array  # [B, T, width]
  magnitude: jax.Array  # [B, T, F]
  advance: jax.Array  # [B, T, F, 2] cosine and sine, times a weight, of the phase since the frame before beyond the bin's own advance


class Played(NamedTuple):
  """What became of T frames."""

  sound: jax.Array  # [B, T hop]
  unprojected: jax.Array  # [B, T hop], before the projections towards the mel
  heard: Heard
  turns: jax.Array  # [B, T, F], see `phases`


class Generator(nn.Module):
  """The two stacks of blocks and the projections' steps."""

  config: InverterConfig

  def setup(self):
    sizes, bins = self.config.generator, self.config.mel.fft // 2 + 1
    self.enter = nn.Dense(sizes.width, dtype=sizes.dtype)
    self.blocks = [Block(sizes) for _ in range(sizes.blocks)]
    self.tell = nn.Dense(3 * bins, kernel_init=nn.initializers.normal(1e-3))  # in float32, as all that becomes sound
    self.compare = nn.Dense(sizes.width, dtype=sizes.dtype)
    self.refining_blocks = [Block(sizes) for _ in range(sizes.refining_blocks)]
    self.turn = nn.Dense(2 * bins, kernel_init=nn.initializers.normal(1e-3))
    self.momentum = self.param('momentum', nn.initializers.constant(0.9), (sizes.projections,))
    self.strength = self.param('strength', nn.initializers.constant(1.5), (sizes.projections,))

  def hear(self, mel: jax.Array, valid: jax.Array) -> Heard:
    """Log-mel [B, T, D], of which frames `valid` [T] count -> what it tells."""
    config, sizes = self.config.mel, self.config.generator
    target = loudness(mel, config)
    features = (mel - np.log(config.floor) / 2) / 4 * valid[:, None]
    hidden = self.enter(neighbours(features.astype(sizes.dtype), sizes.kernel))
    for block in self.blocks:
      hidden = block(hidden, valid)
    gain, *advance = jnp.split(self.tell(hidden.astype(jnp.float32)), 3, axis=-1)
    magnitude = jnp.maximum(spread(target, config), _QUIET) * jnp.exp(_GAIN * jnp.tanh(gain / _GAIN))
    magnitude = towards(magnitude, target, config, _MEL_UPDATES)
    return Heard(hidden, magnitude, jnp.stack(advance, axis=-1) + jnp.array([1.0, 0.0]))

  def refine(self, heard: Heard, turns: jax.Array, mel: jax.Array, valid: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The sound [B, T hop] of frames whose first phases [B, T, F] are given, see `phases`; and as it was before the projections."""
    config, sizes = self.config.mel, self.config.generator
    target = loudness(mel, config)
    audible = jnp.repeat(valid, config.hop)
    sound = lambda spectrum: overlap_add(spectrum, config, valid) * audible
    again = lambda spectrum: stft(sound(spectrum), config)

    spectrum = heard.magnitude * jnp.exp(2j * jnp.pi * (turns - centre_turns(config)))
    for _ in range(sizes.iterations):
      spectrum = heard.magnitude * _direction(again(spectrum))
    consistent = again(spectrum)
    features = _agreement(consistent, heard.magnitude, valid, config).astype(sizes.dtype)
    hidden = self.compare(features) + heard.hidden
    for block in self.refining_blocks:
      hidden = block(hidden, valid)
    real, imaginary = jnp.split(self.turn(hidden.astype(jnp.float32)), 2, axis=-1)
    refined = heard.magnitude * _direction(consistent) * (1 + real + 1j * imaginary)

    def project(state, step):
      spectrum, before = state
      momentum, strength = step
      consistent = again(spectrum)
      magnitude = _size(consistent)
      magnitude = magnitude * (_positive(towards(magnitude, target, config, 1)) / magnitude) ** strength
      return (magnitude * _direction(consistent + momentum * (consistent - before)), consistent), None

    (spectrum, _), _ = jax.lax.scan(project, (refined, consistent), (self.momentum, self.strength))
    return sound(spectrum), sound(refined)

  def __call__(self, mel, valid, before):  # what `init` sees
    heard = self.hear(mel, valid)
    return self.refine(heard, phases(heard, before, valid, self.config.mel), mel, valid)


class Block(nn.Module):
  """A depthwise convolution over time, then a small network of each frame, added to what came in."""

  sizes: GeneratorConfig

  @nn.compact
  def __call__(self, x, valid):
    sizes = self.sizes
    taps = self.param('taps', nn.initializers.normal(sizes.kernel**-0.5), (sizes.kernel, sizes.width))
    bias = self.param('bias', nn.initializers.zeros, (sizes.width,))
    scale = self.param('scale', nn.initializers.constant(0.1), (sizes.width,))
    # Shifted views, weighted and added: no other form of it is as fast on both CPUs and GPUs.
    views = shifted(x * valid[:, None].astype(x.dtype), sizes.kernel)
    y = sum(view * tap for view, tap in zip(views, taps.astype(x.dtype), strict=True)) + bias.astype(x.dtype)
    y = nn.LayerNorm(dtype=sizes.dtype)(y)
    y = nn.Dense(sizes.expansion * sizes.width, dtype=sizes.dtype)(y)
    y = nn.Dense(sizes.width, dtype=sizes.dtype)(nn.gelu(y))
    return x + scale.astype(x.dtype) * y


def reach(config: GeneratorConfig) -> tuple[int, int]:
  """How many frames to either side the mel is heard, and how many a first phase is listened to."""
  side = config.kernel // 2
  # A spectrum of a sound looks one frame to either side, the agreement one more; the last sound is made of two frames.
  return side * (1 + config.blocks), side * config.refining_blocks + config.iterations + 2 + config.projections + 1


def phases(heard: Heard, before: jax.Array, valid: jax.Array, config: MelConfig) -> jax.Array:
  """Phases [B, T, F] at the centres of frames, in turns.

  Args:
    heard: of T frames.
    before: [B, F], those of the frame before the first.
    valid: [T]; other frames change nothing.
    config: of the frames.
  """
  bins = np.arange(config.fft // 2 + 1)
  own = (bins * config.hop / config.fft % 1).astype(np.float32)
  advance = own + jnp.arctan2(heard.advance[..., 1], heard.advance[..., 0]) / (2 * np.pi)
  peaks = nearest_peaks(heard.magnitude)

  def follow(turns, frame):
    advance, peaks, counts = frame
    moved = jnp.take_along_axis((turns + advance) % 1, peaks, axis=1)
    turns = jnp.where(counts > 0, moved, turns)
    return turns, turns

  along = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), (advance, peaks))
  return jnp.moveaxis(jax.lax.scan(follow, before, (*along, valid))[1], 0, 1)


def centre_turns(config: MelConfig) -> np.ndarray:
  """By how many turns [F] each bin's phase at a window's centre is ahead of that at its start."""
  return (np.arange(config.fft // 2 + 1) * (config.window / 2 / config.fft) % 1).astype(np.float32)


def waveform(generator: Generator, params, mel, valid, before, start: int, stop: int) -> Played:
  """A window of a piece as sound.

  Args:
    generator, params: the network.
    mel: [B, W, D].
    valid: float32 [W], 1 for the frames that are the piece's.
    before: [B, F] phases of frame `start` - 1, see `phases`.
    start, stop: the frames that are made sound; what is to either side is heard alone.
  """
  everywhere: Any = generator.apply(params, mel, valid, method='hear')
  heard = Heard(*(each[:, start:stop] for each in everywhere))
  part = slice(start, stop)
  turns = jax.lax.stop_gradient(phases(heard, before, valid[part], generator.config.mel))
  sounds: Any = generator.apply(params, heard, turns, mel[:, part], valid[part], method='refine')
  sound, unprojected = sounds
  return Played(sound, unprojected, heard, turns)


def loudness(mel, config: MelConfig):
  """Mel magnitudes; nothing where the logarithm was clipped."""
  return jnp.where(mel > np.log(config.floor) + 1e-3, jnp.exp(mel), 0)


def neighbours(x, kernel: int):
  """[B, T, C] -> [B, T, kernel C]: each frame with those around it, zeros beyond the ends."""
  return jnp.concatenate(shifted(x, kernel), axis=-1)


def shifted(x, kernel: int):
  side = kernel // 2
  padded = jnp.pad(x, [(0, 0), (side, side), (0, 0)])
  return [padded[:, k : k + x.shape[1]] for k in range(kernel)]


def _agreement(spectrum, magnitude, valid, config: MelConfig):
  """[B, T, 5 F]: how loud each bin came out, and how its phase moved from the frame before and from the bin below; none tells a phase."""
  centred = _direction(spectrum) * np.exp(2j * np.pi * centre_turns(config)).astype(np.complex64) * valid[:, None]
  before = jnp.pad(centred, [(0, 0), (1, 0), (0, 0)])[:, :-1]
  below = jnp.pad(centred, [(0, 0), (0, 0), (1, 0)])[..., :-1]
  own = np.exp(-2j * np.pi * np.arange(magnitude.shape[-1]) * config.hop / config.fft).astype(np.complex64)
  moves = centred * jnp.conj(before) * own, centred * jnp.conj(below)
  louder = jnp.log(_size(spectrum) / _positive(magnitude))
  return jnp.concatenate([louder, *(part for move in moves for part in (move.real, move.imag))], axis=-1)


def _size(z):
  return jnp.sqrt(z.real**2 + z.imag**2 + _QUIET**2)


def _direction(z):
  return z / _size(z)


def _positive(x):
  return jnp.maximum(x, _QUIET)
