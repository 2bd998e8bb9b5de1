"""A scripted engine for the tests of programs that use dockerproto.

It listens on a unix socket in a thread of the test, so it works with every client and every test framework.
It is a package of its own, because the core, `dockerproto`, has no sockets and no threads.
"""

from dockerproto_testing.engine import ScriptedEngine
from dockerproto_testing.received import ReceivedRequest
from dockerproto_testing.scripts import End

__all__ = ["End", "ReceivedRequest", "ScriptedEngine"]
