"""SeqIO tasks, mixtures and feature converters over prepared corpora, for those who train with SeqIO or T5X; needs `mt3_synth[data]`.

Importing registers nothing: `registry.register(...)` does, when called.
"""
