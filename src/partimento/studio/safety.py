"""Safety: who may speak with the studio, and how much.

A studio on 127.0.0.1 is for this machine's user, but every page that a browser has open can send requests there. So a
request must name the studio itself as its host (against rebinding of names) and come from its own page (`Origin`,
`Sec-Fetch-Site`), as browsers always say. A studio on another address asks for a token besides, which it made and
printed; a page brings it once in its address and then has a cookie. Leaves out: encryption, which a proxy can add.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "partimento-token"
MOST_JSON = 8 << 20  # bytes of a body that is no upload
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

NOT_OURS = "This address is not the studio's own; open the page by the address that the studio printed."
ELSEWHERE = "Only the studio's own page may ask this."
TOKENLESS = "The studio is open to other machines, and asks for its token: open the address that it printed."
TOO_LARGE = "This is larger than {most:,} MB, the most that the studio takes at once."


class Safety:
    """What stands before the app.

    Args:
        app: the app.
        hosts: values of `Host` that are the studio itself; any if empty, where there is a token.
        token: that must be known; none if empty.
        uploads: ends of paths that take up to `most_bytes`.
        most_bytes: of an upload.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], token: str, uploads: Iterable[str], most_bytes: int) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._token = token
        self._uploads = tuple(uploads)
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        known = self._known(scope, headers)
        if known == "address":
            await _answer(send, 303, "", [("set-cookie", self._cookie()), ("location", "/")])
            return
        refusal = self._refused(scope["path"], headers) or ("" if known else TOKENLESS)
        if refusal:
            await _answer(send, 401 if refusal == TOKENLESS else 403, refusal)
            return
        most = self._most_bytes if scope["path"].endswith(self._uploads) else MOST_JSON
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            await _answer(send, 413, TOO_LARGE.format(most=most >> 20))
            return
        await self._app(scope, _bounded(receive, most), _with_headers(send))

    def _refused(self, path: str, headers: dict[str, str]) -> str:
        host = headers.get("host", "")
        if self._hosts and host not in self._hosts:
            return NOT_OURS
        origin = headers.get("origin")
        if origin is not None and _place(origin) != host:
            return ELSEWHERE
        if path.startswith("/api/") and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return ELSEWHERE
        return ""

    def _known(self, scope: Scope, headers: dict[str, str]) -> str:
        """By what the token was told: "address", "cookie", "header"; "" where it was not."""
        if not self._token:
            return "needless"
        told = headers.get("authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(told.encode(), self._token.encode()):
            return "header"
        for cookie in headers.get("cookie", "").split(";"):  # others of the host may be written in any way
            name, _, value = cookie.strip().partition("=")
            if name == COOKIE and hmac.compare_digest(value.encode(), self._token.encode()):
                return "cookie"
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and hmac.compare_digest(given.encode(), self._token.encode()):
            return "address"
        return ""

    def _cookie(self) -> str:  # Lax: who follows the address from a message has it; what changes anything asks Origin
        return f"{COOKIE}={self._token}; Path=/; HttpOnly; SameSite=Lax"


def _place(origin: str) -> str:
    """The host of an origin, with its port; nothing of what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _bounded(receive: Receive, most: int) -> Receive:
    """A body of at most so many bytes, whatever its length was said to be."""
    heard = 0

    async def bounded() -> Message:
        nonlocal heard
        message = await receive()
        heard += len(message.get("body", b""))
        if heard > most:
            raise TooLarge(most)
        return message

    return bounded


class TooLarge(Exception):
    """A body that goes on and on."""

    def __init__(self, most: int) -> None:
        super().__init__(TOO_LARGE.format(most=most >> 20))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *((name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there),
            ]
        await send(message)

    return sending


async def _answer(send: Send, status: int, sentence: str, headers: Iterable[tuple[str, str]] = ()) -> None:
    body = json.dumps({"detail": sentence}).encode() if sentence else b""
    told = [("content-type", "application/json"), ("content-length", str(len(body))), *headers]
    encoded = [(name.encode(), value.encode()) for name, value in told]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
