"""What the train verb is made of: configuration, optimiser, state, step, checkpoints, logs."""
