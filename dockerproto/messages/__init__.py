"""What an engine sends back: decoders, error classification, models, the build trace, results.

This wing turns bytes into typed data or exceptions; it knows no connection and no client.
"""
