"""Progress of pulls, pushes, builds and imports as data: layers and steps, tracked from messages.

This wing displays nothing: `Tracker` turns messages into data, and `dockerproto_cli` displays them.
It knows the messages of an engine, but no operation and no client.
"""

from dockerproto.progress.model import Snapshot, Tracker
from dockerproto.progress.parts import Amount, Event, Kind, Line, Part, State

__all__ = ["Amount", "Event", "Kind", "Line", "Part", "Snapshot", "State", "Tracker"]
