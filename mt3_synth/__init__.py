"""Notes to audio: token or aligned-note conditioned spectrogram diffusion, and a waveform inverter.

Public names are imported on first use, so `import mt3_synth` loads neither jax nor TensorFlow.
"""

import importlib

_PUBLIC = {
  'SpectrogramDiffusionPipeline': 'mt3_synth.pipeline',
  'ModelConfig': 'mt3_synth.config',
  'InputError': 'mt3_synth.errors',
  'MidiProcessor': 'mt3_synth.notes.midi_processor',
  'Notes': 'mt3_synth.notes',
  'read_midi': 'mt3_synth.notes',
}
__all__ = list(_PUBLIC)  # pyright: ignore[reportUnsupportedDunderAll]
__version__ = '0.1.0'


def __getattr__(name: str):
  if name in _PUBLIC:
    return getattr(importlib.import_module(_PUBLIC[name]), name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
