"""Engine endpoints: addresses, Docker contexts, TLS files, and how the Docker CLI chooses among them.

This wing decides over what it is given; it reads no file and no environment.
"""
