"""Measures of how near a played piece is to its recording; pure functions of arrays."""
