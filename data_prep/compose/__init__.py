"""Composes MIDI files by seed, so that corpora can be made from nothing: music for ensembles, and etudes.

draw           random draws that are the same everywhere
score          voices of notes -> MIDI bytes
theory         keys, scales, chords
instruments    what each program can play
form           passages, chords, cadences
melody  accompaniment  bass  chorale  drumming     what is played over them
performance    how it is played
ensembles      who plays
themes         tunes in the public domain
piece  etude   a whole piece of each kind
embedded       the corpus that ships with the package
"""
