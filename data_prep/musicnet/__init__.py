"""MusicNet: 330 recordings of classical chamber music with aligned notes."""
