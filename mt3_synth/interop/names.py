"""What each parameter is called elsewhere: tables, read in either direction.

Ours are the published ones of T5X, with one difference: the note encoder is `token_encoder` in all diffusion models.
"""

import re
from collections.abc import Callable, Mapping

import numpy as np

from mt3_synth.config import ModelConfig

# {} is a layer's number.  T5X keeps kernels [in, out]; PyTorch, and so diffusers, [out, in].
_ENCODER_LAYERS = {
  'layers_{}/pre_attention_layer_norm/scale': 'encoders.{}.layer.0.layer_norm.weight',
  'layers_{}/attention/query/kernel': 'encoders.{}.layer.0.SelfAttention.q.weight',
  'layers_{}/attention/key/kernel': 'encoders.{}.layer.0.SelfAttention.k.weight',
  'layers_{}/attention/value/kernel': 'encoders.{}.layer.0.SelfAttention.v.weight',
  'layers_{}/attention/out/kernel': 'encoders.{}.layer.0.SelfAttention.o.weight',
  'layers_{}/pre_mlp_layer_norm/scale': 'encoders.{}.layer.1.layer_norm.weight',
  'layers_{}/mlp/wi_0/kernel': 'encoders.{}.layer.1.DenseReluDense.wi_0.weight',
  'layers_{}/mlp/wi_1/kernel': 'encoders.{}.layer.1.DenseReluDense.wi_1.weight',
  'layers_{}/mlp/wo/kernel': 'encoders.{}.layer.1.DenseReluDense.wo.weight',
  'encoder_norm/scale': 'layer_norm.weight',
}
_DECODER = {
  'Embed_0/embedding': 'position_encoding.weight',
  'time_emb_dense0/kernel': 'conditioning_emb.0.weight',
  'time_emb_dense1/kernel': 'conditioning_emb.2.weight',
  'continuous_inputs_projection/kernel': 'continuous_inputs_projection.weight',
  'layers_{}/pre_self_attention_layer_norm/scale': 'decoders.{}.layer.0.layer_norm.weight',
  'layers_{}/FiLMLayer_0/DenseGeneral_0/kernel': 'decoders.{}.layer.0.FiLMLayer.scale_bias.weight',
  'layers_{}/self_attention/query/kernel': 'decoders.{}.layer.0.attention.to_q.weight',
  'layers_{}/self_attention/key/kernel': 'decoders.{}.layer.0.attention.to_k.weight',
  'layers_{}/self_attention/value/kernel': 'decoders.{}.layer.0.attention.to_v.weight',
  'layers_{}/self_attention/out/kernel': 'decoders.{}.layer.0.attention.to_out.0.weight',
  'layers_{}/pre_cross_attention_layer_norm/scale': 'decoders.{}.layer.1.layer_norm.weight',
  'layers_{}/MultiHeadDotProductAttention_0/query/kernel': 'decoders.{}.layer.1.attention.to_q.weight',
  'layers_{}/MultiHeadDotProductAttention_0/key/kernel': 'decoders.{}.layer.1.attention.to_k.weight',
  'layers_{}/MultiHeadDotProductAttention_0/value/kernel': 'decoders.{}.layer.1.attention.to_v.weight',
  'layers_{}/MultiHeadDotProductAttention_0/out/kernel': 'decoders.{}.layer.1.attention.to_out.0.weight',
  'layers_{}/pre_mlp_layer_norm/scale': 'decoders.{}.layer.2.layer_norm.weight',
  'layers_{}/FiLMLayer_1/DenseGeneral_0/kernel': 'decoders.{}.layer.2.film.scale_bias.weight',
  'layers_{}/mlp/wi_0/kernel': 'decoders.{}.layer.2.DenseReluDense.wi_0.weight',
  'layers_{}/mlp/wi_1/kernel': 'decoders.{}.layer.2.DenseReluDense.wi_1.weight',
  'layers_{}/mlp/wo/kernel': 'decoders.{}.layer.2.DenseReluDense.wo.weight',
  'decoder_norm/scale': 'decoder_norm.weight',
  'spec_out_dense/kernel': 'spec_out.weight',
}
# Ours -> the folder of diffusers, and the names in it.
DIFFUSERS = {
  'token_encoder': (
    'notes_encoder',
    {'token_embedder/embedding': 'token_embedder.weight', 'Embed_0/embedding': 'position_encoding.weight'} | _ENCODER_LAYERS,
  ),
  'continuous_encoder': (
    'continuous_encoder',
    {'input_proj/kernel': 'input_proj.weight', 'Embed_0/embedding': 'position_encoding.weight'} | _ENCODER_LAYERS,
  ),
  'decoder': ('decoder', _DECODER),
}

Arrays = dict[str, np.ndarray]


def to_diffusers(name: str) -> str:
  """`folder/name` of our parameter `name` in diffusers."""
  part, _, rest = name.partition('/')
  folder, table = DIFFUSERS[part]
  number = re.search(r'layers_(\d+)/', rest)
  theirs = table[rest if number is None else rest.replace(number[0], 'layers_{}/', 1)]
  return f'{folder}/{theirs.format(*number.groups()) if number else theirs}'


def to_t5x(config: ModelConfig) -> Callable[[str], str]:
  """Our names -> those in `target` of a T5X checkpoint, with dots."""
  published = 'encoder' if config.decoder == 'diffusion' and not config.network.context_frames else 'token_encoder'

  def name(ours: str) -> str:
    return ours.replace('/', '.') if published == 'token_encoder' else re.sub('^token_encoder/', 'encoder/', ours).replace('/', '.')

  return name


def transposed(name: str, array: np.ndarray) -> np.ndarray:
  """An array of ours as PyTorch keeps it, or back."""
  return np.ascontiguousarray(array.T) if name.endswith('/kernel') else array


def transposed_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
  return shape[::-1] if name.endswith('/kernel') else shape


def renamed(shapes: Mapping[str, tuple[int, ...]], name: Callable[[str], str]) -> dict[str, str]:
  """theirs -> ours for all of our parameters."""
  return {name(ours): ours for ours in shapes}
