"""A client of registries, without an engine: resolve, read, copy and join images where they are stored.

This wing knows HTTP, credentials and manifests; it knows no engine, and nothing else uses it.
"""
