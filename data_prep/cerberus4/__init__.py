"""Cerberus4: quartets of piano, guitar, bass and drums out of Slakh's stems."""
