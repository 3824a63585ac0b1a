"""GuitarSet: 360 excerpts of acoustic guitar, each string annotated."""
