"""Parser of addresses of BuildKit daemons, in the forms of ``BUILDKIT_HOST``.

Daemons in containers, pods and on other machines are reached by a command, whose standard input and output
are the connection, as BuildKit's own client reaches them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from dockerproto.endpoint.addresses import SSH, TCP, TLS, Address, Command, Endpoint, UnixSocket
from dockerproto.endpoint.hosts import parse_host
from dockerproto.errors import InvalidHost

DEFAULT_DAEMON: Final = "unix:///run/buildkit/buildkitd.sock"
"""Default address of BuildKit's own client."""
_HOST: Final = "BUILDKIT_HOST"
_FORMS: Final = (
    "unix:///path, tcp://host:port, ssh://[user@]host[:port][/path], docker-container://name[?context=...], "
    "podman-container://name, kube-pod://pod[?context=...&namespace=...&container=...]"
)
_DIAL: Final = ("buildctl", "dial-stdio")
_PORT: Final = r"(?s:.*):[0-9]+"
_CONTAINER: Final = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"
_POD: Final = r"[a-z0-9][a-z0-9.-]*"
_VALUE: Final = r"[^\0-\x1f\x7f\ud800-\udfff]+"


def daemon_endpoint(
    address: str | None, command: Sequence[str] | None, environment: Mapping[str, str], tls: TLS | None
) -> Endpoint:
    """Return the endpoint of a daemon: `address`, `command`, ``BUILDKIT_HOST``, or the default socket.

    Args:
        address: Address given by the program.
        command: Command given by the program, whose standard input and output lead to the daemon.
        environment: Environment variables.
        tls: TLS files given by the program.

    Raises:
        InvalidHost: The address is invalid.
        TypeError: The command is a str, or contains something else than str.
        ValueError: There are both `address` and `command`; the command is empty; or there is `tls`, but the
            daemon is not at a TCP address.
    """
    if command is not None:
        if address is not None:
            raise ValueError("address= and command= both name a daemon")
        endpoint = Endpoint(_command(command), "command=")
    elif address is not None:
        endpoint = Endpoint(parse_daemon(address), "address=", tls=tls)
    elif variable := environment.get(_HOST, "").strip():
        endpoint = Endpoint(parse_daemon(variable), _HOST, tls=tls)
    else:
        endpoint = Endpoint(parse_daemon(DEFAULT_DAEMON), "the default socket")
    if tls is not None and not isinstance(endpoint.address, TCP):
        raise ValueError(f"tls is for daemons at tcp:// addresses, not for {endpoint.address}")
    return endpoint


def parse_daemon(text: str) -> Address:
    """Parse an address in the forms of ``BUILDKIT_HOST``.

    >>> parse_daemon("tcp://builder:1234")
    TCP(name='builder', port=1234, prefix='')
    >>> parse_daemon("docker-container://builder").command
    ('docker', 'exec', '-i', 'builder', 'buildctl', 'dial-stdio')

    Raises:
        InvalidHost: The address has another form.
    """
    text = text.strip()
    scheme, _, rest = text.partition("://")
    parse = _SCHEMES.get(scheme)
    found = parse(text, rest) if parse is not None else None
    if found is None:
        # The part before an @ may contain a password.
        shown = f"…{text[text.rindex('@') :]}" if "@" in text else text
        raise InvalidHost(0, f"invalid address of a BuildKit daemon {shown!r}; expected {_FORMS}")
    return found


def _by_socket(text: str, rest: str) -> Address | None:
    address = _engine_address(text) if rest.startswith(("/", "@")) else None
    return address if isinstance(address, UnixSocket) else None


def _by_port(text: str, rest: str) -> Address | None:
    """Return a TCP address; BuildKit has no default port, and no path."""
    address = _engine_address(text) if re.fullmatch(_PORT, rest) else None
    return address if isinstance(address, TCP) and not address.prefix else None


def _by_ssh(text: str, _: str) -> Address | None:
    address = _engine_address(text)
    if not isinstance(address, SSH):
        return None
    socket = ("--addr", f"unix://{address.path}") if address.path.strip("/") else ()
    program, subcommand = _DIAL
    return Command(address.running(program, *socket, subcommand), str(address))


def _engine_address(text: str) -> Address | None:
    try:
        return parse_host(text)
    except InvalidHost:
        return None


def _by_docker(text: str, rest: str) -> Address | None:
    name, options = _options(rest, {"context": _VALUE})
    if options is None or not re.fullmatch(_CONTAINER, name):
        return None
    context = [f"--context={options['context']}"] if "context" in options else []
    return Command(("docker", *context, "exec", "-i", name, *_DIAL), text)


def _by_podman(text: str, rest: str) -> Address | None:
    return Command(("podman", "exec", "-i", rest, *_DIAL), text) if re.fullmatch(_CONTAINER, rest) else None


def _by_kubernetes(text: str, rest: str) -> Address | None:
    name, options = _options(rest, {"context": _VALUE, "namespace": _POD, "container": _POD})
    if options is None or not re.fullmatch(_POD, name):
        return None
    first = [f"--{each}={options[each]}" for each in ("context", "namespace") if each in options]
    container = [f"--container={options['container']}"] if "container" in options else []
    return Command(("kubectl", *first, "exec", *container, "-i", name, "--", *_DIAL), text)


def _options(rest: str, allowed: Mapping[str, str]) -> tuple[str, dict[str, str] | None]:
    """Return a name and the options after it; None for options that are unknown, repeated or malformed."""
    name, separator, query = rest.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(separator), errors="strict")
    except ValueError:
        return name, None
    options = dict(pairs)
    valid = len(options) == len(pairs) and all(
        each in allowed and re.fullmatch(allowed[each], value) for each, value in pairs
    )
    return name, options if valid else None


def _command(command: Sequence[str]) -> Command:
    if isinstance(command, str) or not all(isinstance(each, str) for each in command):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError("command must be a sequence of str: the program and its arguments")
    if not command or not command[0]:
        raise ValueError("command must begin with a program")
    return Command(tuple(command))


_SCHEMES: Final[Mapping[str, Callable[[str, str], Address | None]]] = {
    "unix": _by_socket,
    "tcp": _by_port,
    "ssh": _by_ssh,
    "docker-container": _by_docker,
    "podman-container": _by_podman,
    "kube-pod": _by_kubernetes,
}
