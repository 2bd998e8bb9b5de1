"""Messages of an engine: decoders, error classification, models, the build trace, the build log, results.

This wing turns bytes into typed data or exceptions; it knows no connection and no client.
"""
