"""Raw corpora become prepared ones: songs in pieces, in ArrayRecord files that TFDS, SeqIO and Grain read.

`plan` says which songs go into which file, `shard` writes one file, `local` or `on_beam` write all of them, `folder` keeps what is
finished and completes the dataset, `job` is the whole.  The files' bytes depend on the plan alone: not on who writes them, on how many
there are, or on how often they were stopped.
"""
