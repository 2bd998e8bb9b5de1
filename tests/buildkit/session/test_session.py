"""The state machine of a session: calls are served concurrently, and every one of them ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dockerproto.buildkit.rpc.handler import (
    OK,
    AsyncStep,
    BlockingStep,
    Code,
    Failed,
    RpcError,
    Status,
    Step,
    Unary,
)
from dockerproto.buildkit.rpc.http2 import MESSAGE_LIMIT
from dockerproto.buildkit.session.messages import (
    CredentialsRequest,
    CredentialsResponse,
    FetchTokenRequest,
    FetchTokenResponse,
    GetSecretRequest,
    GetSecretResponse,
    GetTokenAuthorityRequest,
    GetTokenAuthorityResponse,
    HealthCheckResponse,
)
from dockerproto.buildkit.session.services import auth, health, secrets
from dockerproto.credentials.credentials import Credentials
from dockerproto.errors import CredentialsError, ProtocolViolated
from tests.support.calling import Engine

HEALTH = "/grpc.health.v1.Health/Check"
SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
AUTH = "/moby.filesync.v1.Auth/Credentials"
AUTHORITY = "/moby.filesync.v1.Auth/GetTokenAuthority"
TOKEN = "/moby.filesync.v1.Auth/FetchToken"
PATH = "/test/Call"
KEY = bytes(range(32))


class Scripted:
    """A handler that returns scripted steps and records what it receives."""

    def __init__(self, *steps: Step | Callable[[], Step]) -> None:
        self.steps = list(steps)
        self.told: list[Any] = []
        self.closed = 0

    def receive(self, message: bytes) -> bool | None:
        self.told.append(message)
        return None

    def end(self) -> None:
        self.told.append(None)

    def next(self) -> Step:
        if not self.steps:
            return None
        step = self.steps.pop(0)
        return step() if callable(step) else step

    def close(self) -> None:
        self.closed += 1


class Batching(Scripted):
    """A handler that takes messages until one says "end", and fails at one that says "bad"."""

    def receive(self, message: bytes) -> bool:
        super().receive(message)
        if message.startswith(b"bad"):
            raise OSError(5, "no more")
        return message != b"end"


def engine(handler: Any) -> Engine:
    return Engine({PATH: lambda _: handler, **health()})


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


class TestACall:
    def test_goes_by_the_steps_of_its_handler(self) -> None:
        results: list[Any] = []

        async def wait() -> str:
            return "waited"

        handler = Scripted(
            None,
            b"first",
            BlockingStep(lambda: "worked", results.append),
            AsyncStep(wait, results.append),
            None,
            b"last",
            OK,
        )
        made = engine(handler)
        assert made.ask(PATH, b"asked") == ([b"first", b"last"], OK)
        assert results == ["worked", "waited"]
        assert handler.told == [b"asked", None]
        assert handler.closed == 1

    def test_ends_with_a_status_that_is_not_asked_for_more(self) -> None:
        handler = Scripted(Status(Code.NOT_FOUND, "gone"), b"never")
        assert engine(handler).ask(PATH) == ([], Status(Code.NOT_FOUND, "gone"))
        assert handler.steps == [b"never"]

    def test_of_an_unknown_method_is_refused(self) -> None:
        status = Status(Code.UNIMPLEMENTED, "/unknown/Method is not implemented")
        assert Engine({}).ask("/unknown/Method", b"x") == ([], status)

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (OSError(28, "No space left on device"), Status(2, "[Errno 28] No space left on device")),
            (KeyError(), Status(2, "KeyError")),
            (RpcError(Code.NOT_FOUND, "not here"), Status(5, "not here")),
        ],
    )
    @pytest.mark.parametrize("where", ["factory", "receive", "end", "next", "work", "wait", "done"])
    def test_ends_whatever_happens(self, where: str, error: Exception, status: Status) -> None:
        async def wait() -> None:
            raise error

        steps: dict[str, Step | Callable[[], Step]] = {
            "work": BlockingStep(failing(error), print),
            "wait": AsyncStep(wait, print),
            "done": BlockingStep(int, failing(error)),
            "next": failing(error),
        }
        handler = Scripted(*([steps[where]] if where in steps else []))
        if where in {"receive", "end"}:
            setattr(handler, where, failing(error))
        made = Engine({PATH: failing(error) if where == "factory" else lambda _: handler, **health()})
        assert made.ask(PATH, b"x") == ([], status)
        assert handler.closed == (where != "factory")
        assert made.session.failure is (None if isinstance(error, RpcError) else error)
        assert made.ask(HEALTH)[1] == OK

    def test_that_fails_second_leaves_the_first_failure(self) -> None:
        errors = [OSError(1, "first"), OSError(2, "second")]
        handlers = (Scripted(BlockingStep(failing(error), print)) for error in errors)
        made = Engine({PATH: lambda _: next(handlers)})
        made.ask(PATH)
        made.ask(PATH)
        assert made.session.failure is errors[0]

    def test_whose_failure_was_told_goes_on_until_the_engine_ends_it(self) -> None:
        errors = [OSError(1, "first"), OSError(2, "second")]
        handler = Scripted(b"told", *map(Failed, errors))
        made = engine(handler)
        stream = made.begin(PATH, b"asked")
        made.run()
        assert made.session.failure is errors[0]
        assert (handler.told, handler.closed) == ([b"asked"], 0)
        made.grpc.reset(stream)
        made.run()
        assert handler.closed == 1
        assert made.session.failure is errors[0]

    def test_that_the_engine_breaks_off_is_closed(self) -> None:
        handler = Scripted(BlockingStep(int, print))
        made = engine(handler)
        stream = made.begin(PATH)
        made.carry()
        following = made.session.advance()
        assert following is not None
        made.grpc.reset(stream)
        made.run()
        assert handler.closed == 1
        made.do(*following)  # the result is ignored
        made.run()
        assert stream not in made.statuses

    def test_that_is_over_has_no_failure_any_more(self) -> None:
        handler = Scripted(BlockingStep(int, print))
        made = engine(handler)
        stream = made.begin(PATH)
        made.carry()
        following = made.session.advance()
        assert following is not None
        made.grpc.reset(stream)
        made.carry()
        call, work = following
        made.session.fail(call, OSError("nobody waits for it"))
        assert made.session.failure is None
        assert isinstance(work, BlockingStep)
        assert call.run(work) is None  # it does not begin what is over

    def test_that_is_refused_and_broken_off_at_once_is_over(self) -> None:
        made = Engine({})
        stream = made.begin(PATH)
        made.grpc.reset(stream)
        made.run()
        assert made.ask("/another/Method")[1].code == Code.UNIMPLEMENTED

    def test_is_closed_with_the_session(self) -> None:
        handler = Scripted()
        made = engine(handler)
        made.begin(PATH)
        made.run()
        made.session.close()
        made.session.close()
        assert handler.closed == 1

    def test_is_closed_by_the_step_that_is_still_at_work(self) -> None:
        handler = Scripted()

        def work() -> str:
            made.session.close()
            assert handler.closed == 0
            return "done"

        handler.steps.append(BlockingStep(work, print))
        made = engine(handler)
        made.begin(PATH)
        made.run()
        assert handler.closed == 1


class TestCallsAtOnce:
    def test_take_turns(self) -> None:
        order: list[str] = []

        def endless(name: str) -> Scripted:
            handler = Scripted()
            handler.next = lambda: BlockingStep(lambda: order.append(name), lambda _: None)  # type: ignore[method-assign]
            return handler

        handlers = iter([endless("a"), endless("b")])
        made = Engine({PATH: lambda _: next(handlers), **health()})
        made.begin(PATH)
        made.begin(PATH)
        made.carry()
        for _ in range(6):
            made.step()
        assert order == ["a", "b"] * 3
        stream = made.begin(HEALTH)
        made.grpc.finish(stream)
        for _ in range(6):  # others go on for ever, and yet it is answered
            made.carry()
            made.step()
        made.carry()
        assert made.statuses[stream] == OK

    def test_one_whose_step_lasts_holds_nobody_up(self) -> None:
        handler = Scripted(BlockingStep(int, print), BlockingStep(int, print))
        made = engine(handler)
        made.begin(PATH, b"1")
        made.carry()
        first = made.session.advance()
        assert first is not None
        assert made.session.advance() is None
        assert made.ask(HEALTH)[1] == OK
        assert handler.told == []
        made.do(*first)
        assert made.session.advance() is not None

    def test_one_that_is_full_waits_for_the_engine_to_take_it(self) -> None:
        handler = Scripted()
        handler.next = lambda: bytes(10_000)  # type: ignore[method-assign]
        made = engine(handler)
        made.begin(PATH)
        made.carry()
        assert made.session.advance() is None
        assert len(made.session.data_to_send()) < 100_000
        assert made.session.advance() is None

    def test_messages_wait_for_a_handler_that_is_busy(self) -> None:
        handler = Scripted(*(BlockingStep(int, print) for _ in range(3)))
        made = engine(handler)
        stream = made.begin(PATH, b"1", b"2")
        made.grpc.finish(stream)
        made.carry()
        for _ in range(3):
            assert made.step()
            assert handler.told == []
        handler.steps.extend([None, b"answer", None, None, OK])
        made.run()
        assert handler.told == [b"1", b"2", None]
        assert made.messages[stream] == [b"answer"]

    def test_messages_are_passed_as_long_as_the_handler_wants_more(self) -> None:
        handler = Batching(None, b"answer", OK)
        made = engine(handler)
        stream = made.begin(PATH, *b"1 2 end 3".split())
        made.run()
        assert handler.told == [b"1", b"2", b"end"]
        assert (made.messages[stream], made.statuses[stream]) == ([b"answer"], OK)

    def test_one_that_fails_among_many_messages_leaves_the_windows_right(self) -> None:
        made = Engine({PATH: lambda _: Batching(), **health()})
        for _ in range(20):  # more than the window of the connection
            stream = made.begin(PATH, *(each + bytes(2**20) for each in (b"1", b"2", b"bad", b"3")))
            made.run()
            assert made.statuses[stream] == Status(Code.UNKNOWN, "[Errno 5] no more")
            assert made.ask(HEALTH)[1] == OK

    def test_what_waits_is_limited(self) -> None:
        handler = Scripted()
        handler.next = lambda: BlockingStep(int, print)  # type: ignore[method-assign]
        made = engine(handler)
        stream = made.begin(PATH)
        sent = 0
        while made.grpc.room(stream):
            made.grpc.send(stream, bytes(2**16))
            sent += 2**16
            made.carry()
            made.step()
        assert sent < 2 * MESSAGE_LIMIT

    def test_the_end_of_the_connection_is_seen(self) -> None:
        made = Engine({})
        with pytest.raises(ProtocolViolated):
            made.session.feed(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert made.session.ended


class TestServices:
    def test_health(self) -> None:
        assert Engine(health()).ask(HEALTH) == ([HealthCheckResponse(1).encode()], OK)

    @pytest.mark.parametrize("value", [b"", b"hush", bytes(500 * 2**10)])
    def test_a_secret(self, value: bytes) -> None:
        asked = GetSecretRequest("token", {"a": "b"}).encode()
        assert Engine(secrets({"token": value})).ask(SECRET, asked) == (
            [GetSecretResponse(value).encode()],
            OK,
        )

    def test_a_secret_that_is_not_there(self) -> None:
        made = Engine(secrets({}))
        status = Status(Code.NOT_FOUND, "secret token: not found")
        assert made.ask(SECRET, GetSecretRequest("token").encode()) == ([], status)
        assert made.session.failure is None

    def test_a_question_that_is_none(self) -> None:
        answers, status = Engine(secrets({})).ask(SECRET, b"\xff")
        assert (answers, status.code) == ([], Code.UNKNOWN)

    @pytest.mark.parametrize(
        ("found", "told"),
        [
            (None, CredentialsResponse()),
            (Credentials(username="me", password="pw"), CredentialsResponse("me", "pw")),
            (Credentials(username="me", identitytoken="t"), CredentialsResponse("", "t")),
        ],
    )
    @pytest.mark.parametrize(
        ("host", "registry"), [("registry-1.docker.io", "docker.io"), ("r.example:5000", "r.example:5000")]
    )
    def test_credentials(
        self, host: str, registry: str, found: Credentials | None, told: CredentialsResponse
    ) -> None:
        asked: list[str] = []

        async def find(name: str) -> Credentials | None:
            asked.append(name)
            return found

        made = Engine(auth(find, KEY))
        assert made.ask(AUTH, CredentialsRequest(host).encode()) == ([told.encode()], OK)
        status = Status(Code.UNAVAILABLE, "no bearer token is known; fetch one with the credentials")
        assert made.ask(AUTHORITY, GetTokenAuthorityRequest(host).encode()) == ([], status)
        assert made.ask(TOKEN, FetchTokenRequest(host=host).encode()) == ([], status)
        assert asked == [registry] * 3
        assert made.session.failure is None

    def test_a_bearer_token(self) -> None:
        async def find(_: str) -> Credentials:
            return Credentials(registrytoken="t")

        made = Engine(auth(find, KEY))
        authority = GetTokenAuthorityRequest("r.example", b"salt").encode()
        assert made.ask(AUTHORITY, authority) == ([GetTokenAuthorityResponse(KEY).encode()], OK)
        asked = FetchTokenRequest("engine", "r.example", "https://r.example/token", "r", ("pull",)).encode()
        assert made.ask(TOKEN, asked) == ([FetchTokenResponse("t").encode()], OK)
        answers, status = made.ask(AUTH, CredentialsRequest("r.example").encode())
        assert (answers, status.code) == ([], Code.UNAVAILABLE)

    def test_credentials_that_cannot_be_looked_up(self) -> None:
        error = CredentialsError(0, "the helper failed")

        async def find(_: str) -> Credentials:
            raise error

        made = Engine(auth(find, KEY))
        assert made.ask(AUTH, CredentialsRequest("r.example").encode()) == (
            [],
            Status(2, "the helper failed"),
        )
        assert made.session.failure is error

    def test_an_answer_is_given_once(self) -> None:
        assert Engine({PATH: lambda _: Unary(lambda _: b"answer")}).ask(PATH) == ([b"answer"], OK)

    def test_secrets_are_in_no_repr(self) -> None:
        told = repr(
            (GetSecretResponse(b"hush"), CredentialsResponse("hush", "hush"), FetchTokenResponse("hush"))
        )
        assert "hush" not in told
