"""Operations of the diffusion networks' matrix products, two for a multiplication and its addition: what a measured time is held against.

All else, norms, softmax, FiLM's modulation, is thin work over the same arrays and is not counted.  All lengths are as computed, padding
included.
"""

from mt3_synth.config import NetworkConfig


def training_step(network: NetworkConfig, tokens: int, with_film: bool = True) -> float:
  """Of an example: forwards, and twice as many backwards.  `tokens` is 0 for aligned notes, whose own encoder is thin."""
  c = network
  once = encoders(c, tokens) + keys_values(c, tokens + c.context_frames) + film(c) * with_film + decoder_pass(c, tokens + c.context_frames)
  return 3 * once


def encoders(network: NetworkConfig, tokens: int) -> float:
  """Both encoders, once a segment."""
  c = network
  rows = lambda n: n * (_self_attention(c, n) + _mlp(c))
  return 2 * (c.encoder_layers * (rows(tokens) + rows(c.context_frames)) + c.context_frames * c.mel_bands * c.emb_dim)


def keys_values(network: NetworkConfig, keys: int) -> float:
  """Those of every decoder layer's cross-attention, once a segment."""
  c = network
  return 2 * c.decoder_layers * keys * 2 * c.emb_dim * _joined(c)


def film(network: NetworkConfig) -> float:
  """The time network and every layer's FiLM, of one noise level."""
  wide = 4 * network.emb_dim
  return 2 * (network.emb_dim * wide + wide * wide + network.decoder_layers * 2 * wide * 2 * network.emb_dim)


def decoder_pass(network: NetworkConfig, keys: int) -> float:
  """The decoder once, keys and values and FiLM made before."""
  c, frames = network, network.target_frames
  layer = _self_attention(c, frames) + _cross_attention(c, keys) + _mlp(c)
  return 2 * frames * (2 * _end(c) + c.decoder_layers * layer)


def guided_step(network: NetworkConfig, keys: int) -> float:
  """Both passes of a guided step, without what is zero or the same in both.

  Without the conditions there is no cross-attention, and until the first cross-attention both passes are one.
  """
  c, frames = network, network.target_frames
  unconditional = decoder_pass(c, keys) - 2 * frames * (c.decoder_layers * _cross_attention(c, keys) + _end(c) + _self_attention(c, frames))
  return decoder_pass(c, keys) + unconditional


def _joined(c):
  return c.num_heads * c.head_dim


def _self_attention(c, keys):
  return 4 * c.emb_dim * _joined(c) + 2 * keys * _joined(c)


def _cross_attention(c, keys):
  return 2 * c.emb_dim * _joined(c) + 2 * keys * _joined(c)


def _mlp(c):
  return 3 * c.emb_dim * c.mlp_dim


def _end(c):
  return c.mel_bands * c.emb_dim
