"""The interfaces that a transport implements: connections, the runtime, files.

This wing declares what the core asks for; it implements none of it.
"""
