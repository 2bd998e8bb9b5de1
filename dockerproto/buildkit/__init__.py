"""BuildKit: sessions, in which the engine calls the client while it builds.

Nothing of it is loaded until a build needs a session.
"""
