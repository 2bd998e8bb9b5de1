"""The interfaces a transport implements: connections, a runtime, and a host for files and BuildKit sessions.

This wing declares what the core calls and implements none of it; it knows addresses and build contexts.
"""
