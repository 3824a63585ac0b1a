"""Slakh2100: songs of the Lakh MIDI dataset, each instrument rendered on its own."""
