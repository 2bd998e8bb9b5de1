"""BuildKit builds on real engines: contexts, secrets, credentials and outputs, on all three transports."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dockerproto import (
    DockerStreamError,
    OutputFailed,
    Secret,
    StepFailed,
    Tar,
    Unauthorized,
    UnsupportedEngine,
    UnsupportedVersion,
    UploadFailed,
)
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.support.addresses import WAYS, addresses
from tests.support.facade import Transport
from tests.support.stored import PASSWORD, USER
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.engine]
with_buildkit = pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine)


address = pytest.fixture(addresses, params=WAYS)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A context whose Dockerfile shows what is in it."""
    root = tmp_path / "context"
    (root / "src" / "deep").mkdir(parents=True)
    (root / "src" / "deep" / "a.c").write_text("int a;\n")
    (root / "src" / "tool").write_text("#!/bin/sh\n")
    (root / "src" / "tool").chmod(0o4755)
    (root / "src" / "same").hardlink_to(root / "src" / "tool")
    (root / "link").symlink_to("src/deep")
    (root / "ignored").write_text("never\n")
    (root / ".dockerignore").write_text("ignored\n*.log\n!keep.log\n")
    (root / "keep.log").write_text("kept\n")
    (root / "drop.log").write_text("dropped\n")
    return root


def unique() -> str:
    return f"echo {time.time_ns()}"


def names(directory: Path) -> list[str]:
    return [each.name for each in directory.iterdir()]


def printed(messages: list[Any]) -> str:
    """Return what the steps of a build printed."""
    logs = [log.msg for message in messages if "trace" in message for log in message["trace"].logs]
    return b"".join(logs).decode()


async def run(docker: Any, dockerfile: str, **options: Any) -> str:
    """Build with BuildKit, and return what the steps printed."""
    messages = await docker.images.build(
        **{"fileobj": context(dockerfile)} | options, network_mode="none", builder="buildkit"
    )
    return printed(messages)


@with_buildkit
class TestContexts:
    async def test_a_directory(self, docker: Any, directory: Path) -> None:
        (directory / "Dockerfile").write_text(
            "FROM busybox\nCOPY . /all\n"
            f"RUN {unique()}; cd /all && ls -a . src && cat link/a.c keep.log && ls -l src\n"
        )
        shown = await run(docker, "", fileobj=None, path=directory)
        assert "int a;\nkept\n" in shown
        assert "ignored" not in shown.replace(".dockerignore", "")
        assert "drop.log" not in shown
        assert "-rwsr-xr-x    2 0        0" in shown  # the mode, the hard link, the owner

    async def test_extra_hosts(self, docker: Any) -> None:
        hosts = ["app=10.1.2.3", "four=[10.1.2.4]"]
        shown = await run(docker, f"FROM busybox\nRUN {unique()}; cat /etc/hosts\n", extra_hosts=hosts)
        assert "10.1.2.3\tapp\n10.1.2.4\tfour\n" in shown

    @pytest.mark.parametrize("address", WAYS[:1], indirect=True)  # the relay's version says more than is true
    async def test_limits(self, docker: Any, engine: PrivateEngine) -> None:
        dockerfile = f"FROM busybox\nRUN {unique()}; ulimit -n; df -k /dev/shm | tail -1\n"
        building = run(docker, dockerfile, shm_size=8 * 2**20, ulimits={"nofile": 512})
        if Difference.NO_LIMITS_IN_BUILDKIT.on(engine):
            with pytest.raises(UnsupportedVersion, match=r"needs API 1\.42"):
                await building
            return
        shown = await building
        assert "\n512\n" in shown
        assert " 8192 " in shown

    async def test_warnings(self, docker: Any, engine: PrivateEngine) -> None:
        dockerfile = "FROM busybox\nRUN true \\\n\n  || false\n"
        options = {"fileobj": context(dockerfile), "builder": "buildkit", "network_mode": "none"}
        result = (await docker.images.build(**options, nocache=True)).result
        assert (result.warnings == ()) == Difference.NO_WARNINGS_OF_BUILDKIT.on(engine)

    async def test_times_that_buildkit_cannot_count(self, docker: Any, directory: Path) -> None:
        late, early = directory / "src" / "late", directory / "src" / "early"
        for path, year in ((late, 2300), (early, 1600)):
            path.write_text("content\n")
            seconds = (year - 1970) * 31_556_952
            os.utime(path, (seconds, seconds))
        (directory / "Dockerfile").write_text(f"FROM busybox\nCOPY src /x\nRUN {unique()}; cat /x/late\n")
        assert "content\n" in await run(docker, "", fileobj=None, path=directory)

    async def test_a_part_of_a_directory(self, docker: Any, directory: Path) -> None:
        (directory / "Dockerfile").write_text(
            f"FROM busybox\nCOPY link/*.c /x/\nRUN {unique()}; cat /x/a.c\n"
        )
        assert "int a;\n" in await run(docker, "", fileobj=None, path=directory)

    async def test_what_changed(self, docker: Any, directory: Path) -> None:
        (directory / "Dockerfile").write_text(f"FROM busybox\nCOPY src/deep /x\nRUN : {unique()}; cat /x/*\n")
        await run(docker, "", fileobj=None, path=directory)
        (directory / "src" / "deep" / "b.c").write_text("int b;\n")
        assert await run(docker, "", fileobj=None, path=directory) == "int a;\nint b;\n"
        (directory / "src" / "deep" / "a.c").unlink()
        assert await run(docker, "", fileobj=None, path=directory) == "int b;\n"

    async def test_a_dockerfile_from_elsewhere(self, docker: Any, directory: Path, tmp_path: Path) -> None:
        other = tmp_path / "Other"
        other.write_text(f"FROM busybox\nCOPY . /x\nRUN {unique()}; ls /x\n")
        options = {"fileobj": None, "path": directory, "path_dockerfile": other}
        assert "Dockerfile" not in await run(docker, "", **options)
        other.with_name("Other.dockerignore").write_text("link\n")
        shown = await run(docker, "", nocache=True, **options)
        assert "link" not in shown
        assert "ignored" in shown

    async def test_a_dockerfile_in_memory(self, docker: Any, directory: Path) -> None:
        text = f"FROM busybox\nCOPY link/a.c /\nRUN {unique()}; cat /a.c\n"
        options = {"dockerfile": text, "network_mode": "none", "builder": "buildkit"}
        assert "int a;\n" in printed(await docker.images.build(path=directory, **options))
        with pytest.raises(DockerStreamError):  # without a build context, COPY fails
            await docker.images.build(**options)

    async def test_a_tar(self, docker: Any, tmp_path: Path, transport: Transport) -> None:
        dockerfile = f"FROM busybox\nCOPY d /d\nRUN {unique()}; cat /d/f\n"
        tar = context(dockerfile, **{"d/f": b"content\n"})
        assert "content\n" in await run(docker, "", fileobj=tar)
        file = tmp_path / "context.tar"
        file.write_bytes(tar)
        assert "content\n" in await run(docker, "", fileobj=file, nocache=True)
        if transport != "httpx":

            async def pieces() -> AsyncIterator[bytes]:
                for at in range(0, len(tar), 1000):
                    yield tar[at : at + 1000]

            assert "content\n" in await run(docker, "", fileobj=pieces(), nocache=True)

    async def test_a_tar_of_the_same_size_and_time_is_another_one(self, docker: Any) -> None:
        dockerfile = "FROM busybox\nCOPY f /\nRUN cat /f\n"
        for content in (b"one", b"two"):
            shown = await run(
                docker, "", fileobj=context(dockerfile, f=content + str(time.time_ns()).encode())
            )
            assert shown.startswith(content.decode())

    async def test_what_is_no_tar(self, docker: Any) -> None:
        with pytest.raises(UploadFailed):
            await run(docker, "", fileobj=b"no tar")

    async def test_a_file_that_became_shorter_fails_the_build_for_that_reason(
        self, docker: Any, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (directory / "Dockerfile").write_text("FROM busybox\nCOPY keep.log /\n")

        def shorter(_: object, path: str) -> Any:
            return (directory / path).open("rb") if path == "Dockerfile" else io.BytesIO()

        monkeypatch.setattr("dockerproto_local.directory.Directory.open", shorter)
        with pytest.raises(DockerStreamError) as raised:
            await run(docker, "", fileobj=None, path=directory)
        assert isinstance(raised.value.__cause__, UploadFailed)
        assert "became shorter" in str(raised.value.__cause__)


@with_buildkit
class TestSecrets:
    MOUNT = "RUN --mount=type=secret,id=token"

    @pytest.mark.parametrize("kind", ["bytes", "file", "home", "variable"])
    async def test_are_there(
        self, docker: Any, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "token").write_bytes(b"hush\n")
        monkeypatch.setenv("TOKEN", "hush\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        secret = {
            "bytes": b"hush\n",
            "file": tmp_path / "token",
            "home": Path("~/token"),
            "variable": Secret.from_env("TOKEN"),
        }[kind]
        dockerfile = f"FROM busybox\n{self.MOUNT} {unique()}; cat /run/secrets/token\n"
        assert "hush\n" in await run(docker, dockerfile, secrets={"token": secret})

    @pytest.mark.parametrize("secrets", [{}, {"token": Secret.from_env("NOT_SET")}])
    async def test_may_be_missing_where_they_are_optional(self, docker: Any, secrets: Any) -> None:
        dockerfile = f"FROM busybox\n{self.MOUNT} {unique()}; test -e /run/secrets/token || echo none\n"
        assert "none\n" in await run(docker, dockerfile, secrets=secrets)

    async def test_are_missed_where_they_are_required(self, docker: Any) -> None:
        with pytest.raises(DockerStreamError, match="secret token"):
            await run(docker, f"FROM busybox\n{self.MOUNT},required=true {unique()}\n")

    async def test_have_to_be_readable(self, docker: Any, tmp_path: Path) -> None:
        with pytest.raises(UploadFailed, match=r"cannot read secret 'token': .*No such file"):
            await run(docker, "FROM busybox\n", secrets={"token": tmp_path / "absent"})

    async def test_may_come_from_a_pipe(self, docker: Any, tmp_path: Path) -> None:
        """As those of a shell do, ``<(pass show token)``; it is waited for."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(b"hush\n",), daemon=True)
        writer.start()
        dockerfile = f"FROM busybox\n{self.MOUNT} {unique()}; cat /run/secrets/token\n"
        assert "hush\n" in await run(docker, dockerfile, secrets={"token": pipe})
        writer.join()

    async def test_have_a_limit(self, docker: Any, tmp_path: Path) -> None:
        (tmp_path / "long").write_bytes(bytes(500 * 2**10 + 1))
        with pytest.raises(ValueError, match="secret 'token' is longer than 512000 bytes"):
            await run(docker, "FROM busybox\n", secrets={"token": tmp_path / "long"})
        (tmp_path / "long").write_bytes(bytes(500 * 2**10))
        dockerfile = f"FROM busybox\n{self.MOUNT} {unique()}; wc -c </run/secrets/token\n"
        assert "512000" in await run(docker, dockerfile, secrets={"token": tmp_path / "long"})


@with_buildkit
class TestCredentials:
    @pytest.fixture
    async def private(self, docker: Any, closed_registry: Registry) -> str:
        """The name of an image in a registry that wants a password."""
        name = f"{closed_registry.host}/session/base"
        auth = {"username": USER, "password": PASSWORD}
        await docker.images.tag("busybox", name, tag="1")
        await docker.images.push(name, tag="1", auth=auth)
        await docker.images.delete(f"{name}:1")
        return f"{name}:1"

    async def test_are_looked_up(
        self, engine: PrivateEngine, connect: Connect, closed_registry: Registry, private: str
    ) -> None:
        stored = {closed_registry.host: {"username": USER, "password": PASSWORD}}
        async with connect(engine.url, credentials=stored) as docker:
            assert "begun" in await run(docker, f"FROM {private}\nRUN {unique()}; echo begun\n", pull=True)

    async def test_are_given(self, docker: Any, closed_registry: Registry, private: str) -> None:
        auth = {closed_registry.host: {"username": USER, "password": PASSWORD}}
        shown = await run(docker, f"FROM {private}\nRUN {unique()}; echo begun\n", pull=True, auth=auth)
        assert "begun" in shown

    async def test_are_no_bearer_token_where_a_password_is_wanted(
        self, docker: Any, closed_registry: Registry, private: str
    ) -> None:
        auth = {closed_registry.host: {"registrytoken": "t"}}
        with pytest.raises(DockerStreamError, match="only a bearer token is known"):
            await run(docker, f"FROM {private}\n", pull=True, auth=auth)

    async def test_are_missed(self, docker: Any, private: str) -> None:
        with pytest.raises(Unauthorized):
            await run(docker, f"FROM {private}\n", pull=True, nocache=True)


@with_buildkit
class TestOutputs:
    DOCKERFILE = "FROM busybox AS made\nCOPY . /d\nFROM scratch\nCOPY --from=made /d /d\n"

    @pytest.fixture
    def options(self, directory: Path) -> dict[str, Any]:
        (directory / "Dockerfile").write_text(self.DOCKERFILE)
        return {"fileobj": None, "path": directory}

    async def test_a_directory(self, docker: Any, options: dict[str, Any], tmp_path: Path) -> None:
        there = tmp_path / "dist"
        there.mkdir()
        (there / "other").write_text("stays")
        for _ in range(2):
            await run(docker, "", output=there, **options)
            assert (there / "d" / "src" / "deep" / "a.c").read_text() == "int a;\n"
            assert (there / "d" / "link").readlink() == Path("src/deep")
            assert stat.S_IMODE((there / "d" / "src" / "tool").stat().st_mode) == 0o4755
            assert (there / "d" / "src" / "same").samefile(there / "d" / "src" / "tool")
            assert (there / "other").read_text() == "stays"
            assert not list(there.rglob(".dockerproto-*"))

    async def test_a_tar(self, docker: Any, options: dict[str, Any], tmp_path: Path) -> None:
        there = tmp_path / "out.tar"
        await run(docker, "", output=Tar(there), **options)
        with tarfile.open(there) as tar:
            file = tar.extractfile("d/src/deep/a.c")
            assert file is not None
            assert file.read() == b"int a;\n"
        assert sorted(names(tmp_path)) == ["context", "out.tar"]

    async def test_that_cannot_be_written_fails_the_build_for_that_reason(
        self, docker: Any, options: dict[str, Any], tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(DockerStreamError) as raised:
            await run(docker, "", output=tmp_path / "file" / "dist", **options)
        assert isinstance(raised.value.__cause__, OutputFailed)

    async def test_has_no_image(self, docker: Any, options: dict[str, Any], tmp_path: Path) -> None:
        options |= {"output": tmp_path / "dist", "network_mode": "none", "stream": True}
        async with docker.images.build(**options) as stream:
            async for _ in stream:
                pass
        assert stream.result.image is None


@with_buildkit
async def test_a_step_that_fails_has_no_cause_here(docker: Any) -> None:
    with pytest.raises(StepFailed) as raised:
        await run(docker, f"FROM busybox\nRUN {unique()}; exit 7\n", secrets={"token": b"hush"})
    assert raised.value.step is not None
    assert raised.value.step.exit_code == 7
    assert raised.value.__cause__ is None


class TestTheDefaultBuilder:
    async def test_is_what_the_engine_recommends(
        self, docker: Any, engine: PrivateEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DOCKER_BUILDKIT")
        recommended = (await docker.ping()).builder_version
        messages = await docker.images.build(fileobj=context("FROM busybox\n"), network_mode="none")
        assert any("trace" in message for message in messages) == (recommended == "2")
        assert (recommended == "2") == Difference.BUILDKIT_BY_DEFAULT.on(engine)

    @pytest.mark.parametrize("said", ["0", pytest.param("1", marks=with_buildkit)])
    async def test_is_what_the_environment_says(
        self, docker: Any, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_BUILDKIT", said)
        messages = await docker.images.build(fileobj=context("FROM busybox\n"), network_mode="none")
        assert any("trace" in message for message in messages) == (said == "1")
