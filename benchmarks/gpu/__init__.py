"""What an accelerator makes of it: correctness, training, synthesis, the autoregressive decoder, in one call of minutes."""
