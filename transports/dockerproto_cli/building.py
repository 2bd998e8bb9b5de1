"""The command ``build``: on the engine, or on the BuildKit daemon that ``--builder`` names."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from dockerproto import build_result
from dockerproto.docker import BlockingBuildKit
from dockerproto.images import Images
from dockerproto_cli.build_facts import with_facts, write_facts
from dockerproto_cli.build_source import parse_source
from dockerproto_cli.checks import ask
from dockerproto_cli.control_options import daemon_arguments, solve_arguments
from dockerproto_cli.daemons import connect_daemon, is_address
from dockerproto_cli.printing import Invocation, report_warning


def build(invocation: Invocation) -> int:
    """Build an image, and print its id; or ask about its Dockerfile, and print the reply."""
    arguments, images = invocation.arguments, invocation.docker.images
    arguments.quiet = arguments.quiet or arguments.progress == "quiet"
    if is_address(arguments.builder):
        return _build_on_daemon(invocation)
    if arguments.call is not None:
        return ask(invocation, arguments.call, images)
    options = with_facts(solve_arguments(arguments), arguments, invocation.docker)
    options.update(builder=arguments.builder, memory=arguments.memory, forcerm=arguments.force_rm)
    return _build(invocation, images, options)


def _build_on_daemon(invocation: Invocation) -> int:
    arguments = invocation.arguments
    with connect_daemon(arguments) as daemon:
        if arguments.call is not None:
            return ask(invocation, arguments.call, daemon)
        options = daemon_arguments(arguments)
        if arguments.load:
            options["load"] = invocation.docker
        elif not arguments.output and not arguments.push:
            report_warning(
                "the result is in the cache of the daemon only: use --load, --push or --output", arguments
            )
        return _build(invocation, daemon, options)


def _build(invocation: Invocation, target: Images | BlockingBuildKit, options: dict[str, Any]) -> int:
    """Build with the arguments that all builders have, and with some more."""
    arguments, display = invocation.arguments, invocation.display()
    if arguments.builder == "classic":
        options["on_upload"] = display.uploaded  # BuildKit fetches
    source = parse_source(arguments.source, arguments.file)
    stream = target.build(**source, **_common_arguments(arguments), **options, stream=True)
    built = build_result(invocation.messages(stream, display))
    write_facts(built, arguments)
    if built.image is not None and not invocation.json:
        invocation.line(built.image)
    return 0


def _common_arguments(arguments: Namespace) -> dict[str, Any]:
    """Return the arguments of `build` that every builder has, except the source."""
    return {
        "tag": arguments.tag,
        "quiet": arguments.quiet,
        "buildargs": dict(arguments.build_arg),
        "labels": {name: value or "" for name, value in arguments.label},
        "pull": arguments.pull,
        "target": arguments.target,
        "network_mode": arguments.network,
        "extra_hosts": arguments.add_host or None,
        "shm_size": arguments.shm_size,
        "ulimits": dict(arguments.ulimit) or None,
        "secrets": dict(arguments.secret),
        "ssh": dict(arguments.ssh),
    }
