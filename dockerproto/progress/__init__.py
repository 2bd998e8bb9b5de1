"""What is going on in a pull, a push, a build, an import: fed the messages, it holds layers and steps.

Nothing here draws: `Tracker` turns messages into data, and `dockerproto_cli` shows them.
"""

from dockerproto.progress.model import Snapshot, Tracker
from dockerproto.progress.parts import Amount, Event, Kind, Line, Part, State

__all__ = ["Amount", "Event", "Kind", "Line", "Part", "Snapshot", "State", "Tracker"]
