"""Checkpoints as other programs lay them out, written from a model of ours by this module's own reading of their layouts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp
import tensorstore as ts
from flax import serialization, traverse_util
from safetensors.numpy import save_file

from mt3_synth.config import ModelConfig

GIN = """
from __gin__ import dynamic_registration
import __main__ as train_script
from music_spectrogram_diffusion.models.diffusion import network

# Macros:
# ==============================================================================
AUDIO_CODEC = @audio_codecs.MelGAN()
MODEL = @models.{model}()
NUM_VELOCITY_BINS = 1
PROGRAM_GRANULARITY = 'full'
TASK_FEATURE_LENGTHS = \\
    {lengths}

train/diffusion_utils.DiffusionSchedule.name = 'cosine'
network.T5Config:
  dtype = 'float32'
  dropout_rate = {c.dropout}
  emb_dim = {c.emb_dim}
  head_dim = {c.head_dim}
  mlp_activations = ('gelu', 'linear')
  mlp_dim = {c.mlp_dim}
  num_decoder_layers = {c.decoder_layers}
  num_encoder_layers = {c.encoder_layers}
  num_heads = {c.num_heads}
  vocab_size = @vocabularies.num_embeddings()
vocabularies.VocabularyConfig.num_velocity_bins = %NUM_VELOCITY_BINS
"""
DIFFUSION_GIN = """
network.T5Config.context_positions = 'terminal_relative'
network.T5Config.decoder_cross_attend_style = 'concat_encodings'
network.T5Config.position_encoding = 'fixed_permuted_offset'
"""


def gin_text(config: ModelConfig) -> str:
  c = config.network
  lengths = {'inputs': c.note_length, 'targets': c.target_frames} | ({'targets_context': c.context_frames} if c.context_frames else {})
  if config.decoder == 'autoregressive':
    return GIN.format(model='ContinuousOutputsEncoderDecoderModel', lengths=lengths, c=c)
  return GIN.format(model='ContextDiffusionModel' if c.context_frames else 'DiffusionModel', lengths=lengths, c=c) + DIFFUSION_GIN


def write_t5x(folder: Path, config: ModelConfig, params: Any, form: str = 'legacy', step: int = 10) -> Path:
  """A model's folder with config.gin and one checkpoint; the checkpoint's folder."""
  checkpoint = folder / f'checkpoint_{step}'
  checkpoint.mkdir(parents=True)
  (folder / 'config.gin').write_text(gin_text(config))
  target = dict(params)
  if config.decoder == 'diffusion' and not config.network.context_frames:
    target['encoder'] = target.pop('token_encoder')
  if form == 'orbax':
    with ocp.PyTreeCheckpointer() as checkpointer:
      checkpointer.save(checkpoint.absolute() / 'state', {'target': target, 'state': {'step': np.int32(step)}})
    return checkpoint
  leaves = {}
  flat: dict[Any, Any] = traverse_util.flatten_dict(target)
  for path, x in flat.items():
    name = 'target.' + '.'.join(path)
    spec: dict[str, Any] = {'driver': 'zarr', 'kvstore': {'driver': 'file', 'path': f'{checkpoint}/{name}/'}}
    how = {'metadata': {'shape': x.shape, 'dtype': '<f4', 'chunks': x.shape}}
    ts.open(spec | how, create=True).result().write(x).result()
    leaves[path] = {'driver': 'zarr', 'kvstore': {'driver': 'gfile', 'path': '/elsewhere/' + name}, 'metadata': {'shape': list(x.shape)}}
  first = next(path for path in leaves if path[-1] == 'scale')
  leaves[first] = np.asarray(flat[first])  # small ones may lie in the file itself
  content = {'version': 3, 'optimizer': {'target': traverse_util.unflatten_dict(leaves), 'state': {'step': step}}}
  (checkpoint / 'checkpoint').write_bytes(serialization.msgpack_serialize(content))
  return checkpoint


def write_diffusers_folder(folder: Path, config: ModelConfig, params: Any) -> Path:
  """As `SpectrogramDiffusionPipeline.save_pretrained` lays it out."""
  c = config.network
  sizes = {'d_model': c.emb_dim, 'd_kv': c.head_dim, 'd_ff': c.mlp_dim, 'num_heads': c.num_heads, 'dropout_rate': c.dropout}
  encoder = sizes | {'num_layers': c.encoder_layers, 'feed_forward_proj': 'gated-gelu', 'is_decoder': False}
  parts: dict[str, tuple[str, dict, dict]] = {
    'notes_encoder': (
      'SpectrogramNotesEncoder',
      encoder | {'max_length': c.note_length, 'vocab_size': c.vocab_size},
      _encoder(params['token_encoder']) | {'token_embedder.weight': params['token_encoder']['token_embedder']['embedding']},
    ),
    'continuous_encoder': (
      'SpectrogramContEncoder',
      encoder | {'input_dims': 128, 'targets_context_length': c.context_frames},
      _encoder(params['continuous_encoder']) | {'input_proj.weight': params['continuous_encoder']['input_proj']['kernel'].T},
    ),
    'decoder': (
      'T5FilmDecoder',
      sizes
      | {'num_layers': c.decoder_layers, 'input_dims': 128, 'targets_length': c.target_frames, 'max_decoder_noise_time': c.max_noise_time},
      _decoder(params['decoder']),
    ),
  }
  for name, (cls, settings, weights) in parts.items():
    (folder / name).mkdir(parents=True)
    (folder / name / 'config.json').write_text(json.dumps({'_class_name': cls, '_diffusers_version': '0.12.0'} | settings))
    save_file(
      {name: np.ascontiguousarray(x) for name, x in weights.items()},
      folder / name / 'diffusion_pytorch_model.safetensors',
      {'format': 'pt'},
    )
  scheduler = {
    '_class_name': 'DDPMScheduler',
    'beta_schedule': 'squaredcos_cap_v2',
    'num_train_timesteps': 1000,
    'prediction_type': 'epsilon',
    'variance_type': 'fixed_large',
  }
  (folder / 'scheduler').mkdir()
  (folder / 'scheduler' / 'scheduler_config.json').write_text(json.dumps(scheduler))
  (folder / 'model_index.json').write_text(json.dumps({'_class_name': 'SpectrogramDiffusionPipeline', 'melgan': [None, None]}))
  return folder


def _encoder(p):
  weights = {'position_encoding.weight': p['Embed_0']['embedding'], 'layer_norm.weight': p['encoder_norm']['scale']}
  for i in range(sum(name.startswith('layers_') for name in p)):
    own, at = p[f'layers_{i}'], f'encoders.{i}.layer'
    for theirs, ours in zip('qkvo', ('query', 'key', 'value', 'out'), strict=True):
      weights[f'{at}.0.SelfAttention.{theirs}.weight'] = own['attention'][ours]['kernel'].T
    weights[f'{at}.0.layer_norm.weight'] = own['pre_attention_layer_norm']['scale']
    weights[f'{at}.1.layer_norm.weight'] = own['pre_mlp_layer_norm']['scale']
    weights |= {f'{at}.1.DenseReluDense.{name}.weight': own['mlp'][name]['kernel'].T for name in ('wi_0', 'wi_1', 'wo')}
  return weights


def _decoder(p):
  weights = {
    'position_encoding.weight': p['Embed_0']['embedding'],
    'conditioning_emb.0.weight': p['time_emb_dense0']['kernel'].T,
    'conditioning_emb.2.weight': p['time_emb_dense1']['kernel'].T,
    'continuous_inputs_projection.weight': p['continuous_inputs_projection']['kernel'].T,
    'decoder_norm.weight': p['decoder_norm']['scale'],
    'spec_out.weight': p['spec_out_dense']['kernel'].T,
  }
  attentions = ('self_attention', 'pre_self_attention_layer_norm'), ('MultiHeadDotProductAttention_0', 'pre_cross_attention_layer_norm')
  for i in range(sum(name.startswith('layers_') for name in p)):
    own, at = p[f'layers_{i}'], f'decoders.{i}.layer'
    for k, (attention, norm) in enumerate(attentions):
      for theirs, ours in zip(('to_q', 'to_k', 'to_v', 'to_out.0'), ('query', 'key', 'value', 'out'), strict=True):
        weights[f'{at}.{k}.attention.{theirs}.weight'] = own[attention][ours]['kernel'].T
      weights[f'{at}.{k}.layer_norm.weight'] = own[norm]['scale']
    weights[f'{at}.0.FiLMLayer.scale_bias.weight'] = own['FiLMLayer_0']['DenseGeneral_0']['kernel'].T
    weights[f'{at}.2.film.scale_bias.weight'] = own['FiLMLayer_1']['DenseGeneral_0']['kernel'].T
    weights[f'{at}.2.layer_norm.weight'] = own['pre_mlp_layer_norm']['scale']
    weights |= {f'{at}.2.DenseReluDense.{name}.weight': own['mlp'][name]['kernel'].T for name in ('wi_0', 'wi_1', 'wo')}
  return weights
