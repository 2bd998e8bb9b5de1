"""The testbed: real engines and registries started for the tests, and an engine that follows a script.

Nothing in here uses the library: what checks it must not depend on it.
"""
