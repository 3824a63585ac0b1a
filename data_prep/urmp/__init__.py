"""URMP: 44 chamber pieces, each part recorded on its own, notes annotated."""
