"""Corpora, and the batches made of them; no TensorFlow."""
