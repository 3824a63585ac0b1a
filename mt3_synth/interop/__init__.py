"""Checkpoints of others: T5X's and diffusers' read as models of ours, and ours written for diffusers."""
