"""Training of inverters: a generator of sound against discriminators (Kong, Kim, Bae 2020, whose losses these are, and the spectra's)."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from mt3_synth.audio.mel import log_mel, samples_for
from mt3_synth.config import InverterConfig
from mt3_synth.data.mixtures import expand
from mt3_synth.data.recordings import SoundLoader, open_recordings
from mt3_synth.errors import InputError
from mt3_synth.inverter.gan import initial_params
from mt3_synth.inverter.generator import Generator, Played, waveform
from mt3_synth.training.augmentation import change_mel, change_sound, longest
from mt3_synth.training.config import TrainConfig
from mt3_synth.training.discriminators import Discriminators, adversarial_loss, discriminator_loss, feature_loss
from mt3_synth.training.feeding import Batch, Loader
from mt3_synth.training.guard import skipped
from mt3_synth.training.inversion_loss import played_losses
from mt3_synth.training.learner import Examples
from mt3_synth.training.optimizer import learning_rate, make_optimizer
from mt3_synth.training.partitioning import everywhere, make_mesh, rows_of_this_process, to_mesh
from mt3_synth.training.step import TrainState

EXAMPLES = 4


class InverterLearner:
  """A `Learner` of an inverter.  Its parameters are the generator's and the discriminators', its average is of the generator alone.

  Devices share the examples; the state, which is small, is whole on each.
  """

  def __init__(self, config: TrainConfig):
    model = config.model
    assert isinstance(model, InverterConfig)
    if model.crop_frames < 8:
      raise InputError(f'InverterConfig.crop_frames is {model.crop_frames}, expected at least 8')
    if config.microbatches != 1:
      raise InputError(f'TrainConfig.microbatches is {config.microbatches}, but an inverter learns from whole batches; leave it at 1')
    self.config, self.model = config, model
    slower = replace(config.optimizer, learning_rate=config.optimizer.learning_rate * model.adversary.learning_rate)
    self.tx = tuple(make_optimizer(each, config.total_steps) for each in (config.optimizer, slower))
    self.rate = learning_rate(config.optimizer, config.total_steps)
    self.mesh = make_mesh(config.mesh)

  def loader(self, split: str) -> Loader:
    mixture = expand(self.config.corpora, self.config.temperature)
    samples = samples_for(self.model.crop_frames, self.model.mel)
    rows = rows_of_this_process(self.mesh, self.config.batch_size)
    return SoundLoader(
      [open_recordings(corpus, split, self.config.data_dir) for corpus in mixture.corpora],
      longest(samples, self.model.augmentation) if split == 'train' else samples,
      self.config.batch_size,
      self.config.seed,
      hop=self.model.mel.hop,
      temperature=mixture.temperature,
      host=rows.part,
      hosts=rows.parts,
    )

  def init(self, key: jax.Array) -> TrainState:
    return _new_state(key, config=self.model, tx=self.tx, mesh=self.mesh)

  def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, dict[str, Any]]:
    return _train_step(state, batch, key, config=self.model, tx=self.tx, ema_decay=self.config.ema_decay, mesh=self.mesh)

  def eval_step(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, Any]:
    return _eval_step(state.ema, batch, config=self.model, mesh=self.mesh)

  def rates(self, step: int) -> dict[str, float]:
    return {'learning_rate': float(np.asarray(self.rate(step)))}

  def examples(self, state: TrainState) -> Examples:
    batch = to_mesh(self.loader('validation').batch(0), self.mesh)
    recorded, made = jax.device_get(_play(state.ema, batch, config=self.model, mesh=self.mesh))
    mels, audio = {}, {}
    for name, sounds in (('made', made), ('recorded', recorded)):
      for n, sound in enumerate(sounds):
        mels[f'{n}/{name}'] = np.asarray(log_mel(sound, self.model.mel))
        audio[f'{n}/{name}'] = np.clip(sound, -1, 1)
    return Examples(mels, audio, self.model.mel.sample_rate)


@partial(jax.jit, static_argnames=('config', 'tx', 'mesh'))
def _new_state(key, *, config: InverterConfig, tx, mesh: Mesh) -> TrainState:
  keys = jax.random.split(key)
  sound = jnp.zeros((1, config.crop_frames * config.mel.hop))
  discriminators = Discriminators(config.adversary).init(keys[1], sound)['params']
  params = {'generator': initial_params(keys[0], config), 'discriminators': discriminators}
  opt_state = {name: each.init(params[name]) for name, each in zip(params, tx, strict=True)}
  return everywhere(TrainState(jnp.zeros((), jnp.int32), params, jax.tree.map(jnp.copy, params['generator']), opt_state), mesh)


@partial(jax.jit, static_argnames=('config', 'tx', 'ema_decay', 'mesh'), donate_argnames='state')
def _train_step(state: TrainState, batch: dict, key: jax.Array, *, config: InverterConfig, tx, ema_decay: float, mesh: Mesh):
  """One update of the discriminators, once they have started, and one of the generator -> (state, metrics)."""
  sound_key, mel_key, phase_key = jax.random.split(jax.random.fold_in(key, state.step), 3)
  samples = samples_for(config.crop_frames, config.mel)
  audio = change_sound(sound_key, _floats(batch), samples, config.augmentation)
  mel = log_mel(audio, config.mel, frames=config.crop_frames)
  told = change_mel(mel_key, mel, config.mel, config.augmentation)
  recorded = audio[:, : config.crop_frames * config.mel.hop]
  before = jax.random.uniform(phase_key, (len(mel), config.mel.fft // 2 + 1))  # a crop is mostly of the middle of a piece

  params, opt_state = state.params, state.opt_state
  tx, opponents_tx = tx
  played, pull = jax.vjp(lambda each: _generate(each, told, before, config), params['generator'])

  def generator_loss(played, judge):
    losses = played_losses(config, played, audio, mel) | judge(played.sound)
    weights = config.loss
    return sum(getattr(weights, name) * loss for name, loss in losses.items()), losses

  def alone(params, opt_state):
    unjudged = lambda _: {'adversarial': jnp.zeros(()), 'features': jnp.zeros(())}
    (_, losses), slopes = jax.value_and_grad(generator_loss, has_aux=True)(played, unjudged)
    return params, opt_state, losses | {'discriminator': jnp.zeros(())}, slopes

  def against(params, opt_state):
    adversary, inner = config.adversary, slice(config.mel.hop, -config.mel.hop)
    judge = Discriminators(adversary)
    both = lambda params, made: _halves(judge.apply({'params': params}, jnp.concatenate([recorded, made])[:, inner]))
    loss_of = lambda params: discriminator_loss(*both(params, jax.lax.stop_gradient(played.sound)), adversary.loss)
    loss, grads = jax.value_and_grad(loss_of)(params)
    updates, opt_state = opponents_tx.update(grads, opt_state, params)
    params = optax.apply_updates(params, updates)
    ramp = jnp.clip((state.step - adversary.start) / adversary.ramp, 0, 1)

    def judged(made):
      real, fake = both(params, made)
      return {'adversarial': ramp * adversarial_loss(fake, adversary.loss), 'features': ramp * feature_loss(real, fake)}

    (_, losses), slopes = jax.value_and_grad(generator_loss, has_aux=True)(played, judged)
    return params, opt_state, losses | {'discriminator': loss}, slopes

  opponents, opponents_opt, losses, slopes = jax.lax.cond(
    state.step >= config.adversary.start, against, alone, params['discriminators'], opt_state['discriminators']
  )
  (grads,) = pull(slopes)
  updates, generator_opt = tx.update(grads, opt_state['generator'], params['generator'])
  generator = optax.apply_updates(params['generator'], updates)
  decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))  # young averages forget their start
  ema = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state.ema, generator)
  metrics = losses | {'loss': losses['stft'], 'grad_norm': optax.tree.norm(grads), 'update_norm': optax.tree.norm(updates)}
  metrics |= {'skipped_updates': skipped(opt_state['generator'], generator_opt)}
  params = {'generator': generator, 'discriminators': opponents}
  after = TrainState(state.step + 1, params, ema, {'generator': generator_opt, 'discriminators': opponents_opt})
  return everywhere((after, metrics), mesh)


@partial(jax.jit, static_argnames=('config', 'mesh'))
def _eval_step(params, batch: dict, *, config: InverterConfig, mesh: Mesh) -> dict[str, jax.Array]:
  audio = _floats(batch)
  mel = log_mel(audio, config.mel, frames=config.crop_frames)
  played = _generate(params, mel, jnp.zeros((len(mel), config.mel.fft // 2 + 1)), config)
  losses = played_losses(config, played, audio, mel)
  return everywhere(losses | {'loss': losses['stft']}, mesh)


@partial(jax.jit, static_argnames=('config', 'mesh'))
def _play(params, batch: dict, *, config: InverterConfig, mesh: Mesh) -> tuple[jax.Array, jax.Array]:
  """Recorded and made sounds [B, T hop] of the first examples of a batch."""
  audio = everywhere(_floats(batch)[:EXAMPLES], mesh)
  mel = log_mel(audio, config.mel, frames=config.crop_frames)
  made = _generate(params, mel, jnp.zeros((len(mel), config.mel.fft // 2 + 1)), config).sound
  return everywhere((audio[:, : made.shape[1]], made), mesh)


def _generate(params, mel, before, config: InverterConfig) -> Played:
  return waveform(Generator(config), params, mel, jnp.ones(mel.shape[1]), before, 0, mel.shape[1])


def _floats(batch: dict) -> jax.Array:
  return batch['audio'].astype(jnp.float32) / 32768


def _halves(judgements):
  """Judgements of recorded and made sounds together -> those of each."""
  count = judgements[0].score.shape[0] // 2
  part = lambda each, which: each._replace(score=each.score[which], layers=[x[_rows(x, count, which)] for x in each.layers])
  return [part(each, slice(count)) for each in judgements], [part(each, slice(count, None)) for each in judgements]


def _rows(layer, count, which):
  per_row = layer.shape[0] // (2 * count)  # a period's layers have a row for each of its phases
  return slice(None, count * per_row) if which.start is None else slice(count * per_row, None)
