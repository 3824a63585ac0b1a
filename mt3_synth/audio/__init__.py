"""Waveform <-> file and waveform -> mel.  `files` needs no jax; `mel` does."""
