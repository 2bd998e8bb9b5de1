"""The command: its requests, its output and its exit status."""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from dockerproto import __version__
from dockerproto_cli.command import main
from dockerproto_cli.commands import COMMANDS
from tests.support.commanding import Run, endless_stdin, stdin
from tests.support.recorded_streams import lines_of, reply
from tests.testbed.scripted import ScriptedEngine, json_response, recorded, response

ID: Final = "sha256:" + "0123456789ab" + "c" * 52
DIGEST: Final = f"sha256:{'d' * 64}"
DAY: Final = 86400


def image(**changes: Any) -> dict[str, Any]:
    return {
        "Id": ID,
        "RepoTags": ["r.example/app:1", "app:latest"],
        "RepoDigests": [f"app@{DIGEST}"],
        "Created": time.time() - 2 * DAY - 5,
        "Size": 4_040_000,
        **changes,
    }


@pytest.fixture
def run(scripted: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(scripted, capsys)


def test_images(run: Run) -> None:
    untagged = image(RepoTags=[], RepoDigests=[], Created=time.time() - 400 * DAY, Size=0)
    by_digest = image(RepoTags=[])
    run.engine.script("GET", "/images/json", json_response([image(), untagged, by_digest]))
    assert run("images") == [
        "REPOSITORY      TAG      IMAGE ID       CREATED      SIZE",
        "r.example/app   1        0123456789ab   2 days ago   4.04 MB",
        "app             latest   0123456789ab   2 days ago   4.04 MB",
        "<none>          <none>   0123456789ab   1 year ago   0 B",
        "app             <none>   0123456789ab   2 days ago   4.04 MB",
    ]
    assert run.query == {}


def test_images_with_digests_and_whole_ids(run: Run) -> None:
    run.engine.script("GET", "/images/json", json_response([image(RepoTags=["app:1"])]))
    head, row = run("images", "--digests", "--no-trunc")
    assert head.split() == ["REPOSITORY", "TAG", "DIGEST", "IMAGE", "ID", "CREATED", "SIZE"]
    assert row.split()[:4] == ["app", "1", DIGEST, ID]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [(["-q"], ["0123456789ab"] * 2), (["--quiet", "--no-trunc"], [ID] * 2)],
)
def test_ids_of_images(run: Run, arguments: list[str], lines: list[str]) -> None:
    run.engine.script("GET", "/images/json", json_response([image()]))
    assert run("images", *arguments) == lines


def test_images_by_filter(run: Run) -> None:
    run.engine.script("GET", "/images/json", json_response([]))
    assert run("images", "-a", "--filter", "label=a=b", "--filter", "label=c", "app:1") == [
        "REPOSITORY   TAG   IMAGE ID   CREATED   SIZE"
    ]
    assert run.query["all"] == ["1"]
    assert json.loads(run.query["filters"][0]) == {"label": ["a=b", "c"], "reference": ["app:1"]}


def test_history(run: Run) -> None:
    entry = {
        "Id": ID,
        "Created": int(time.time()) - 90 * 60,
        "CreatedBy": "/bin/sh -c echo \x1b[31m" + "x" * 60,
        "Size": 12,
        "Comment": "é",
        "Tags": None,
    }
    run.engine.script("GET", "/images/app/history", json_response([entry, {**entry, "Id": "<missing>"}]))
    head, first, second = run("history", "app")
    assert head.split("   ")[0] == "IMAGE"
    assert first.split() == [
        "0123456789ab",
        "1",
        "hour",
        "ago",
        "/bin/sh",
        "-c",
        "echo",
        "x" * 28 + "…",
        "12",
        "B",
        "é",
    ]
    assert second.startswith("<missing>")
    assert "x" * 60 in run("history", "--no-trunc", "app")[1]
    assert run("history", "-q", "app") == ["0123456789ab", "<missing>"]


@pytest.mark.parametrize(
    ("arguments", "method", "path", "answer"),
    [
        (["images"], "GET", "/images/json", [image(Created=7)]),
        (["history", "app"], "GET", "/images/app/history", []),
        (["prune", "-f"], "POST", "/images/prune", {"ImagesDeleted": [], "SpaceReclaimed": 7}),
    ],
)
def test_documents(run: Run, arguments: list[str], method: str, path: str, answer: object) -> None:
    run.engine.script(method, path, json_response(answer))
    for where in (["--json", *arguments], [*arguments, "--json"]):
        (line,) = run(*where)
        assert json.loads(line) == answer


def test_inspect(run: Run) -> None:
    run.engine.script("GET", "/images/app/json", json_response({"Id": ID}))
    (found,) = json.loads("".join(run("inspect", "app", "missing", status=1)))
    assert (found["Id"], found["RepoTags"]) == (ID, [])
    assert run.errors == "dockerproto: page not found\n"
    (line,) = run("inspect", "app", "--json")
    assert json.loads(line) == [found]


def test_tag(run: Run) -> None:
    run.engine.script("POST", "/images/app/tag", response(201))
    assert run("tag", "app", "r.example/app:2") == []
    assert run.query == {"repo": ["r.example/app"], "tag": ["2"]}
    assert run("tag", "app", "x", "--json") == ['{"Tagged": "x"}']


def test_rmi(run: Run) -> None:
    run.engine.script("DELETE", "/images/app", json_response([{"Untagged": "app:latest"}, {"Deleted": ID}]))
    assert run("rmi", "app", "missing", status=1) == ["Untagged: app:latest", f"Deleted: {ID}"]
    assert run.errors == "dockerproto: page not found\n"
    (line,) = run("rmi", "-f", "--no-prune", "app", "--json")
    assert json.loads(line) == [{"Untagged": "app:latest"}, {"Deleted": ID}]
    assert run.query == {"force": ["1"], "noprune": ["1"]}


@pytest.mark.parametrize(
    ("arguments", "filters"),
    [
        ([], {"dangling": ["true"]}),
        (["-a", "--filter", "until=1h"], {"until": ["1h"], "dangling": ["false"]}),
    ],
)
def test_prune(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], filters: dict[str, list[str]]
) -> None:
    pruned = {"ImagesDeleted": [{"Deleted": ID}], "SpaceReclaimed": 1000}
    run.engine.script("POST", "/images/prune", json_response(pruned))
    stdin(monkeypatch, b"Y\n")
    assert run("prune", *arguments) == [f"Deleted: {ID}", "Total reclaimed space: 1.00 kB"]
    assert run.errors.startswith("This deletes all images ")
    assert json.loads(run.query["filters"][0]) == filters


@pytest.mark.parametrize("answer", [b"", b"n\n", b"\n", b"of course not\n"])
def test_prune_asks_before(run: Run, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    stdin(monkeypatch, answer)
    assert run("prune", status=1) == []
    assert run.errors.endswith("dockerproto: nothing was deleted\n")
    assert run.engine.requests == []


def test_a_reply_without_end_is_no(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    endless_stdin(monkeypatch)
    assert run("prune", status=1) == []
    assert run.engine.requests == []


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/library/busybox:1", "docker.io/library/busybox:1"),
        ("team/app:2", "docker.io/team/app:2"),
        ("r.example:5000/app", "r.example:5000/app:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
    ],
)
def test_pull_writes_the_full_name(run: Run, name: str, full: str) -> None:
    run.engine.script("POST", "/images/create", recorded("docker-20.10/pull-ok"))
    assert run("pull", "-q", name) == [full]
    assert run.errors == ""


def test_pull_all_tags(run: Run) -> None:
    run.engine.script("POST", "/images/create", recorded("docker-20.10/pull-ok"))
    assert run("pull", "-a", "--platform", "linux/arm64", "busybox") == ["docker.io/library/busybox"]
    assert run.query == {"fromImage": ["busybox"], "platform": ["linux/arm64"]}
    assert run.errors.splitlines()[0] == "1: Pulling from apiref/multi"


def test_progress_may_be_drawn_anyway(run: Run) -> None:
    run.engine.script("POST", "/images/create", recorded("docker-20.10/pull-ok"))
    run("pull", "--progress", "tty", "busybox")
    assert "done  2/2 layers" in run.errors
    run("pull", "--progress", "plain", "busybox")
    assert "done  2/2 layers" not in run.errors


def test_push_writes_the_digest(run: Run) -> None:
    run.engine.script("POST", "/images/r.example/app/push", recorded("docker-20.10/push-ok"))
    digest = "sha256:69d07cab94120dc709cc458a65cbf3d2160012f6bc19c50157a02e8844bf7be0"
    assert run("push", "r.example/app:p1") == [f"127.0.0.1:5000/apiref/pushed-docker-20.10:p1@{digest}"]
    assert run.query == {"tag": ["p1"]}
    run("push", "--all-tags", "r.example/app", "-q")
    assert run.query == {}


def test_messages_as_json(run: Run) -> None:
    sent = lines_of("docker-20.10", "pull-ok")
    run.engine.script("POST", "/images/create", reply(sent))
    assert [json.loads(line) for line in run("pull", "x", "--json")] == [json.loads(line) for line in sent]
    run.engine.script("POST", "/images/r.example/app/push", recorded("docker-20.10/push-ok"))
    assert json.loads(run("push", "r.example/app", "--json")[-1])["aux"]["Tag"] == "p1"
    assert run.errors == ""


def test_load_and_save(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run.engine.script("POST", "/images/load", recorded("docker-20.10/load-ok-not-quiet"))
    archive = tmp_path / "a.tar"
    archive.write_bytes(bytes(10_240))
    run.engine.script("GET", "/images/app/get", response(200, bytes(10_240)))
    saved = tmp_path / "b.tar"
    assert run("save", "-o", str(saved), "app") == []
    assert saved.read_bytes() == bytes(10_240)
    assert saved.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert run("load", "-i", str(archive)) == ["apiref/small:1"]
    assert run.errors.splitlines()[0] == "upload: 10.2 kB"
    assert run.query == {"quiet": ["0"]}
    stdin(monkeypatch, bytes(10))
    assert run("load", "-q") == ["apiref/small:1"]
    assert run.query == {"quiet": ["1"]}
    assert run("load", "-i", str(archive), "--json")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_save_to_a_device(scripted: ScriptedEngine, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    scripted.script("GET", "/images/app/get", response(200, bytes(10_240)))
    assert main(["-H", scripted.url, "save", "-o", os.devnull, "app"]) == 0
    assert main(["-H", scripted.url, "save", "app"]) == 0
    assert capfdbinary.readouterr().out == bytes(10_240)
    assert not Path(os.devnull).is_file()


def test_a_save_that_fails_leaves_no_file(run: Run, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    run.engine.script("GET", "/images/app/get", response(200, b"x" * 1024))
    assert run("save", "-o", str(tmp_path / "a.tar"), "app", status=1) == []
    assert run.errors == "dockerproto: the archive is incomplete\n"
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["save", "app"], "cannot write an archive to a terminal: use -o, or redirect standard output"),
        (["load"], "cannot read an archive from a terminal: use -i, or redirect standard input"),
        (["build", "-"], "cannot read a build context from a terminal: redirect standard input"),
        (
            ["pull", "-a", "busybox:1"],
            "from_image must not have a tag if all tags are requested: 'busybox:1'",
        ),
        (["-c", "other", "images"], "url= and context= both name an engine"),
    ],
)
def test_invalid_combinations_of_arguments(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: str
) -> None:
    run.engine.script("GET", "/images/app/get", response(200, bytes(10_240)))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert run(*arguments, status=1) == []
    command = next(each for each in arguments if each in COMMANDS)
    usage, _, last = run.errors.rpartition("dockerproto: ")
    assert usage.startswith(f"usage: dockerproto {command} [-h]")
    assert last == f"{error}\n"
    assert run(*arguments, "--json", status=1) == []
    assert json.loads(run.errors) == {"error": error}


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["fly"], ["pull"], ["images", "--color"], ["images", "--filter", "x"], ["images", "--dig"]),
        *(["build", "--build-arg", "=1", "-"], ["pull", "--progress", "fancy", "x"]),
    ],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    assert ending.value.code == (125 if len(arguments) > 1 else 1)
    assert capsys.readouterr().err.startswith("usage: dockerproto")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"dockerproto {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    assert capsys.readouterr().out.startswith(f"usage: dockerproto {command}")


def test_an_engine_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["-H", f"unix://{tmp_path}/none.sock", "images"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("dockerproto: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["load", "-i", "/no/such/file"], "/no/such/file: No such file or directory"),
        (["save", "-o", "/no/x", "app"], "/no"),
    ],
)
def test_a_file_that_is_not_there(run: Run, arguments: list[str], words: str) -> None:
    run.engine.script("GET", "/images/app/get", response(200, bytes(10_240)))
    assert run(*arguments, status=1) == []
    assert words in run.errors


def test_an_interrupt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dockerproto_cli.local.size", interrupted)
    run.engine.script("GET", "/images/json", json_response([image()]))
    assert run("images", status=130) == []


def test_nobody_reads(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise BrokenPipeError

    run.engine.script("GET", "/images/json", json_response([image()]))
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr("dockerproto_cli.local.size", broken)
        assert main(["-H", run.engine.url, "images"]) == 141
        assert str(Path(f"/proc/self/fd/{file.fileno()}").readlink()) == os.devnull


def test_the_package_is_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dockerproto", "--version"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("dockerproto_cli", run_name="__main__")
    assert capsys.readouterr().out == f"dockerproto {__version__}\n"


def test_a_platform_that_only_newer_engines_remove(run: Run) -> None:
    assert run("rmi", "--platform", "linux/amd64", "app", status=1) == []
    assert "parameter 'platforms' needs API 1.50" in run.errors
