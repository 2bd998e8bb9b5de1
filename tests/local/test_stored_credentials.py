"""The credentials that docker login has stored: what is read and run on this machine, without a client."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from dockerproto import Credentials, CredentialsError
from dockerproto_local import StoredCredentials
from tests.support.stored import ENTRY, ME, OTHER, PASSWORD, Machine, rendered


class TestThisMachine:
    """Files and helpers of this machine, without a client."""

    def test_where_the_file_is(self, tmp_path: Path) -> None:
        for environment, directory in (
            ({"HOME": str(tmp_path)}, ".docker"),
            ({"HOME": str(tmp_path), "DOCKER_CONFIG": ""}, ".docker"),
            ({"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path / "a" / "b")}, "a/b"),
        ):
            source = StoredCredentials(environment)
            source.store(OTHER, Credentials(**ME))
            path = tmp_path / directory / "config.json"
            assert json.loads(path.read_text()) == {"auths": {OTHER: ENTRY}}
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert source.get(OTHER) == Credentials(**ME, serveraddress=OTHER)
            assert str(tmp_path) not in repr(source)

    @pytest.mark.parametrize(("limit", "seconds"), [(60, 0.25), (0.25, 60)], ids=["the call's", "its own"])
    def test_a_helper_ends_with_the_shorter_limit(
        self, machine: Machine, limit: float, seconds: float
    ) -> None:
        machine.write({"credsStore": "keys"})
        machine.helper("keys", "time.sleep(600)")
        environment = {"DOCKER_CONFIG": str(machine.directory), "PATH": str(machine.directory)}
        with pytest.raises(CredentialsError, match=r"no answer within 0\.25 s"):
            StoredCredentials(environment, limit=limit).within(seconds).get(OTHER)

    def test_a_symlink_to_nothing(self, machine: Machine) -> None:
        (machine.directory / "config.json").symlink_to("deep/real.json")
        source = StoredCredentials({"DOCKER_CONFIG": str(machine.directory)})
        assert source.get(OTHER) is None
        source.store(OTHER, Credentials(**ME))
        assert (machine.directory / "deep/real.json").is_file()
        assert source.get(OTHER) is not None

    def test_what_is_no_file(self, machine: Machine, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        assert StoredCredentials({"DOCKER_CONFIG": str(tmp_path / "file")}).get(OTHER) is None
        (machine.directory / "config.json").mkdir()
        source = StoredCredentials({"DOCKER_CONFIG": str(machine.directory)})
        with pytest.raises(CredentialsError, match=r"config\.json: it cannot be read: Is a directory"):
            source.get(OTHER)

    def test_what_cannot_be_written(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", fail)
        machine.write({"auths": {}})
        source = StoredCredentials({"DOCKER_CONFIG": str(machine.directory)})
        with pytest.raises(CredentialsError, match="cannot be written: No space left on device"):
            source.store(OTHER, Credentials(**ME))
        assert [each.name for each in machine.directory.iterdir()] == ["config.json"]
        assert machine.read() == {"auths": {}}

    FAILURES: Mapping[str, tuple[str, str]] = {
        "fails": ('print("it is locked"); sys.exit(3)', "it failed with status 3: it is locked"),
        "slow": (f"print({PASSWORD!r}, flush=True); time.sleep(60)", "no answer within 0.5 s"),
        "answers nothing": ("", "its output is not credentials"),
        "is killed": ("import os; os.kill(os.getpid(), 9)", "it failed with status -9"),
    }

    @pytest.mark.parametrize(("does", "problem"), FAILURES.values(), ids=FAILURES)
    def test_helpers_that_fail(self, machine: Machine, does: str, problem: str) -> None:
        machine.write({"credsStore": "keys"})
        machine.helper("keys", does)
        environment = {"DOCKER_CONFIG": str(machine.directory), "PATH": str(machine.directory)}
        with pytest.raises(CredentialsError) as raised:
            StoredCredentials(environment, limit=0.5 if "slow" in problem or "sleep" in does else 30).get(
                OTHER
            )
        assert raised.value.message == f"docker-credential-keys, for {OTHER}: {problem}"
        assert PASSWORD not in rendered(raised.value)

    def test_helpers_that_are_none(self, machine: Machine) -> None:
        machine.write({"credsStore": "keys"})
        source = StoredCredentials({"DOCKER_CONFIG": str(machine.directory), "PATH": str(machine.directory)})
        with pytest.raises(CredentialsError, match=f"keys, for {OTHER}: no such program on the PATH"):
            source.get(OTHER)
        (machine.directory / "docker-credential-keys").write_text("#!/nowhere/python\n")
        (machine.directory / "docker-credential-keys").chmod(0o755)
        with pytest.raises(CredentialsError, match="cannot run it: No such file"):
            source.get(OTHER)
