"""Configuration, TLS files and secrets that are pipes, devices or endless: no client waits for them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from dockerproto import TLS, ConnectionFailed, ContextError, CredentialsError, Secret, UploadFailed
from dockerproto.buildkit.session.messages import GetSecretRequest, GetSecretResponse
from dockerproto.endpoint.contexts import TLS_FILES, meta_path, tls_path
from dockerproto_local import small_files
from dockerproto_local.small_files import READ_LIMIT
from tests.buildkit.session.test_session import SECRET
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.special_files import fifo, link, sparse
from tests.support.stored import ME, OTHER, PULL, USER, Machine, sent
from tests.testbed.certificates import Certificates
from tests.testbed.scripted import (
    LAST_CHUNK,
    ScriptedEngine,
    UntilClosed,
    WaitFor,
    chunk,
    chunked,
    json_response,
    stream_head,
)

pytestmark = pytest.mark.anyio

NOT_REGULAR, TOO_LARGE = "Not a regular file", f"Larger than {READ_LIMIT} bytes"
SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (fifo, NOT_REGULAR),
    "device": (link("/dev/zero"), NOT_REGULAR),
    "terabyte": (sparse, TOO_LARGE),
}
of_each_kind = pytest.mark.parametrize(("make", "problem"), SPECIAL.values(), ids=SPECIAL)
FIELDS = ("ca", "certificate", "key")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.issue(tmp_path_factory.mktemp("certificates") / "files", "engine.example")


def tls_of(directory: Path) -> TLS:
    ca, certificate, key = (str(directory / name) for name in TLS_FILES)
    return TLS(ca=ca, certificate=certificate, key=key)


def store_context(machine: Machine) -> tuple[Path, Path]:
    """Store a Docker context that uses TLS; return its meta.json and its directory of TLS files."""
    meta, tls = machine.directory / meta_path("remote"), machine.directory / tls_path("remote")
    for each in (meta.parent, tls):
        each.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "remote", "Endpoints": {"docker": {"Host": "tcp://127.0.0.1:1"}}}))
    return meta, tls


@of_each_kind
async def test_config_json(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, make: Callable[[Path], None], problem: str
) -> None:
    path = machine.directory / "config.json"
    make(path)
    scripted.script("POST", "/auth", json_response({"Status": "Login Succeeded"}))
    with pytest.warns(UserWarning, match=rf"config\.json was ignored: it cannot be read: {problem}"):
        docker = connect(scripted.url)
    async with docker:
        calls = (
            partial(docker.images.pull, f"{OTHER}/a"),
            partial(docker.login, OTHER, USER, "x", store=True),
        )
        for call in calls:
            with pytest.raises(CredentialsError) as raised:
                await call()
            assert raised.value.message == f"{path}: it cannot be read: {problem}"
    assert not path.is_file() or path.stat().st_size > READ_LIMIT


async def test_config_json_that_is_masked(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Path, "replace")  # root could replace the device of this machine
    path = machine.directory / "config.json"
    path.symlink_to(os.devnull)
    scripted.script("POST", "/auth", json_response({"Status": "Login Succeeded"}))
    scripted.script(*PULL, chunked(b'{"status":"done"}\n'))
    async with connect(scripted.url) as docker:
        await docker.images.pull(f"{OTHER}/a")
        assert sent(scripted) is None
        with pytest.raises(CredentialsError, match=r"config\.json cannot be written: Not a regular file$"):
            await docker.login(OTHER, USER, "x", store=True)
    assert path.is_char_device()


async def test_a_login_that_would_make_config_json_unreadable(
    scripted: ScriptedEngine, connect: Connect, machine: Machine
) -> None:
    text = json.dumps({"auths": {}, "x": "x" * (READ_LIMIT - 50)})
    machine.write(text)
    scripted.script("POST", "/auth", json_response({"Status": "Login Succeeded"}))
    async with connect(scripted.url) as docker:
        with pytest.raises(CredentialsError, match=rf"config\.json cannot be written: {TOO_LARGE}$"):
            await docker.login(OTHER, ME["username"], ME["password"], store=True)
    assert (machine.directory / "config.json").read_text() == text


@of_each_kind
async def test_meta_json(
    connect: Connect, machine: Machine, make: Callable[[Path], None], problem: str
) -> None:
    meta, _ = store_context(machine)
    make(meta)
    with pytest.raises(ContextError) as raised:
        connect(context="remote")
    assert problem in raised.value.message
    assert str(meta) in raised.value.message


@of_each_kind
@pytest.mark.parametrize("file", range(len(TLS_FILES)), ids=TLS_FILES)
async def test_tls_files(  # noqa: PLR0917  # pytest passes them by name
    connect: Connect,
    machine: Machine,
    make: Callable[[Path], None],
    problem: str,
    file: int,
    monkeypatch: pytest.MonkeyPatch,
    certificates: Certificates,
) -> None:
    _, directory = store_context(machine)
    for field, name in zip(FIELDS, TLS_FILES, strict=True):
        (directory / name).symlink_to(getattr(certificates, field))
    make(directory / TLS_FILES[file])
    environment = {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS": "1", "DOCKER_CERT_PATH": str(directory)}

    def from_environment() -> Any:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return connect()

    for create in (
        partial(connect, context="remote"),
        partial(connect, "tcp://127.0.0.1:1", tls=tls_of(directory)),
        from_environment,
    ):
        with pytest.raises(ConnectionFailed, match=r"^cannot use the TLS files: ") as raised:
            create()
        assert f"{problem}: '{directory / TLS_FILES[file]}'" in raised.value.message


async def test_tls_files_that_are_regular(
    connect: Connect, machine: Machine, certificates: Certificates
) -> None:
    _, directory = store_context(machine)
    for field, name in zip(FIELDS, TLS_FILES, strict=True):
        (directory / name).symlink_to(getattr(certificates, field))
    (directory / "other").mkdir()
    async with connect(context="remote") as docker:
        assert docker.endpoint.tls == tls_of(directory)
    (directory / "ca.pem").unlink()
    for change in (Path.exists, Path.mkdir):
        change(directory / "ca.pem")
        async with connect(context="remote") as docker:
            assert docker.endpoint.tls.ca is None
    (directory / "cert.pem").unlink()
    (directory / "cert.pem").symlink_to("nothing")
    with pytest.raises(ConnectionFailed, match=r"No such file or directory: '.*/cert\.pem'"):
        connect(context="remote")


@pytest.mark.parametrize("content", ["", "ä", None], ids=["empty", "no ASCII", "masked"])
async def test_authorities_that_are_empty_are_not_those_of_the_system(
    connect: Connect, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is None:
        path.symlink_to(os.devnull)
    else:
        path.write_text(content)
    with pytest.raises(ConnectionFailed, match=f"^cannot use the TLS files: {path} is empty"):
        connect("tcp://127.0.0.1:1", tls=TLS(ca=str(path)))


@pytest.fixture
def encrypted(certificates: Certificates, tmp_path: Path) -> TLS:
    """TLS files with a key that has a password."""
    key = load_pem_private_key(Path(certificates.key).read_bytes(), None)
    encryption = BestAvailableEncryption(b"password")
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return TLS(certificate=certificates.certificate, key=str(tmp_path / "key.pem"))


async def test_the_password_of_a_key_is_not_asked_for(connect: Connect, encrypted: TLS) -> None:
    with pytest.raises(ConnectionFailed, match="the private key is encrypted: decrypt it, or pass"):
        connect("tcp://127.0.0.1:1", tls=encrypted)


async def build(docker: Any, **options: Any) -> None:
    await docker.images.build(remote="https://example.com/a.git", builder="buildkit", **options)


async def test_a_secret_may_be_a_pipe(scripted: ScriptedEngine, connect: Connect) -> None:
    over, told = threading.Event(), list[bytes]()
    reader, writer = os.pipe()
    os.write(writer, b"value")
    os.close(writer)

    def speak(speaking: Speaking) -> None:
        for _ in range(2):  # the engine may ask more than once
            told.extend(speaking.ask(SECRET, GetSecretRequest("token").encode())[0])
        over.set()

    scripted.script("POST", "/session", (Speak(speak), UntilClosed()))
    scripted.script("POST", "/build", (WaitFor(over), stream_head(), chunk(b"{}"), LAST_CHUNK))
    async with connect(scripted.url) as docker:
        await build(docker, secrets={"token": Secret.from_file(f"/dev/fd/{reader}")})
    os.close(reader)
    assert told == [GetSecretResponse(b"value").encode()] * 2


async def test_secrets_without_end(
    scripted: ScriptedEngine, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_files, "PIPE_SECONDS", 0.05)
    for make in (fifo, link("/dev/zero"), sparse):
        make(tmp_path / make.__name__)
    async with connect(scripted.url) as docker:
        with pytest.raises(UploadFailed, match=r"^cannot read secret 'a': .* No end within 0\.05 s: "):
            await build(docker, secrets={"a": tmp_path / "fifo"})
        for name in ("make", "sparse"):
            with pytest.raises(ValueError, match=r"^secret 'a' is longer than 512000 bytes"):
                await build(docker, secrets={"a": tmp_path / name})
