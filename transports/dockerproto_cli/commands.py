"""All commands, by name: what they are for, which function runs them, and their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dockerproto_cli.build_command import BUILD
from dockerproto_cli.options import (
    ALL_TAGS,
    BUILDER_TLS,
    DOCUMENT_FORMAT,
    FILTER,
    FORCE,
    FORMAT,
    IDS,
    IMAGE,
    IMAGES,
    LONG_FILTER,
    NAME,
    NO_TRUNC,
    PLATFORM,
    PROGRESS,
    QUIET,
    Command,
    flag,
    lazy,
    value,
    values,
)

SHELLS: Final = ("bash", "zsh", "fish")

_LOCAL: Final[Mapping[str, Command]] = {
    "build": BUILD,
    "history": Command(
        "show the history of an image", "local:history", (FORMAT, NO_TRUNC, PLATFORM, IDS, IMAGE)
    ),
    "images": Command(
        "list images",
        "local:images",
        (
            flag("-a", "--all", help="include intermediate images of builds"),
            flag("--digests", help="show digests"),
            FILTER,
            FORMAT,
            NO_TRUNC,
            IDS,
            value("repository", metavar="REPOSITORY[:TAG]", nargs="?", help="list only images of this name"),
        ),
    ),
    "inspect": Command("show details of images", "local:inspect", (DOCUMENT_FORMAT, PLATFORM, IMAGES)),
    "prune": Command(
        "delete unused images",
        "local:prune",
        (
            flag("-a", "--all", help="delete all images without a container, not only untagged ones"),
            FORCE,
            LONG_FILTER,
        ),
    ),
    "rmi": Command(
        "remove images",
        "local:remove",
        (
            flag("-f", "--force", help="remove them even if they are in use or have other names"),
            flag("--no-prune", help="keep untagged parents"),
            values("--platform", metavar="OS/ARCH[/VARIANT]", help="remove only this platform"),
            IMAGES,
        ),
    ),
    "tag": Command(
        "give an image another name",
        "local:tag",
        (IMAGE, value("target", metavar="NAME[:TAG]", help="the new name")),
    ),
}
_TRANSFERS: Final[Mapping[str, Command]] = {
    "import": Command(
        "make an image of the tar of a root file system",
        "remote:import_filesystem",
        (
            values("-c", "--change", metavar="INSTRUCTION", help="Dockerfile instruction to apply"),
            value("-m", "--message", metavar="TEXT", help="comment in the history"),
            PLATFORM,
            value("source", metavar="FILE|URL|-", help="the tar; -: read it from standard input"),
            value("image", metavar="NAME[:TAG]", nargs="?", help="name of the new image"),
        ),
    ),
    "load": Command(
        "load images from an archive",
        "remote:load",
        (
            value("-i", "--input", metavar="FILE", help="archive; default: standard input"),
            QUIET,
            PLATFORM,
            PROGRESS,
        ),
    ),
    "login": Command(
        "log in to a registry, and store the credentials",
        "registries:login",
        (
            value("-u", "--username", metavar="NAME", help="name of the user"),
            value("-p", "--password", metavar="TEXT", help="password; other users may see it"),
            flag("--password-stdin", help="read the password from standard input"),
            value("registry", metavar="REGISTRY", nargs="?", help="host[:port]; default: Docker Hub"),
        ),
    ),
    "logout": Command(
        "remove the stored credentials of a registry",
        "registries:logout",
        (value("registry", metavar="REGISTRY", nargs="?", help="host[:port]; default: Docker Hub"),),
    ),
    "pull": Command(
        "download an image from its registry",
        "remote:pull",
        (ALL_TAGS, QUIET, PLATFORM, PROGRESS, NAME),
    ),
    "push": Command(
        "upload an image to its registry",
        "remote:push",
        (ALL_TAGS, QUIET, PLATFORM, PROGRESS, NAME),
    ),
    "save": Command(
        "write images to an archive",
        "remote:save",
        (
            value("-o", "--output", metavar="FILE", help="archive; default: standard output"),
            PLATFORM,
            IMAGES,
        ),
    ),
    "search": Command(
        "search for repositories on Docker Hub, or on the registry that the term begins with",
        "registries:search",
        (
            FILTER,
            FORMAT,
            value("--limit", type=int, metavar="NUMBER", help="number of results; default: 25"),
            NO_TRUNC,
            value("term", metavar="TERM", help="search term"),
        ),
    ),
}
_ENGINE: Final[Mapping[str, Command]] = {
    "builder prune": Command(
        "delete build cache",
        "system:prune_builds",
        (
            flag("-a", "--all", help="delete all unused cache, not only dangling cache"),
            FORCE,
            LONG_FILTER,
            value(
                "--builder",
                type=lazy("daemons:read_address"),
                metavar="ADDRESS",
                help="address of a BuildKit daemon, such as tcp://host:1234; default: the engine",
            ),
            BUILDER_TLS,
            value(
                "--keep-storage",
                type=lazy("limits:read_size"),
                metavar="SIZE",
                help="size of the cache to keep, such as 10g",
            ),
        ),
    ),
    "completion": Command(
        "print a script that completes commands in a shell",
        "completion:completion",
        (value("shell", metavar="|".join(SHELLS), choices=SHELLS, help="shell"),),
        local=True,
    ),
    "df": Command(
        "show how much space images, containers, volumes and the build cache occupy",
        "system:df",
        (FORMAT, flag("-v", "--verbose", help="show each image and record of the build cache")),
    ),
    "info": Command("show facts about the engine", "system:info", (DOCUMENT_FORMAT,)),
    "version": Command(
        "show the versions of this command and of the engine", "system:version", (DOCUMENT_FORMAT,)
    ),
}

COMMANDS: Final[Mapping[str, Command]] = dict(sorted({**_LOCAL, **_TRANSFERS, **_ENGINE}.items()))
"""Commands by name; that of a subcommand has two words."""
GROUPS: Final = frozenset(name.split()[0] for name in COMMANDS if " " in name)
"""First words of the names of subcommands."""
