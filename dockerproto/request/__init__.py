"""Requests to the engine as frozen data, and how their values are encoded on the wire.

This wing knows API versions, Podman and credentials as data; it knows no connection and no client.
"""
