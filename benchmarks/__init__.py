"""How fast and how good, measured on the machine at hand.

Each module with a function `run() -> dict` is a benchmark; the dictionary is flat, names to numbers (or text), units in the names.
`python -m benchmarks` runs them all.  A speed is given beside a baseline measured in the same run, since only their ratio carries over to
other machines.
"""
