"""Fuzzing with resource oracles: ``python -m tests.fuzz``, see `tests.fuzz.__main__`."""
