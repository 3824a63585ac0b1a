"""MIDI -> parts -> sound, with FluidSynth: what `mt3-synth render` is made of.

general_midi   names and classes of the programs
parts          a MIDI file as one part an instrument
fluidsynth     a part as samples
track          a song as a folder in the layout of Slakh2100
plan           which file becomes which track of which split
"""
