"""What `mt3-synth render` writes, the embedded corpus included."""
