"""Sweeps: many runs of one design, each trained and evaluated as a job of its own."""
