"""Build contexts without I/O: ignore patterns, tar archives, Dockerfiles.

This wing decides what is sent of a directory and encodes it; reading the directory is left to the transports.
"""
