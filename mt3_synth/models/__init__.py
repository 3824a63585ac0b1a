"""Networks in Flax Linen.  Parameters are named as in the published T5X checkpoints, so those load without renaming."""
