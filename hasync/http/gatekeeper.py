"""Who may act over the admin port: whoever shows the token, and nobody who guesses."""

import hmac
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from hasync.errors import ConfigInvalid
from hasync.http.answers import Answer, Request, refusal
from hasync.ports import Clock

TOKEN_MIN: Final = 16
"""A shorter token can be guessed; it opens nothing."""

WRONG_MAX: Final = 5
"""So many wrong tokens an address may show within :data:`WRONG_S`."""

WRONG_S: Final = 60.0

ADDRESSES_MAX: Final = 1024
"""So many addresses are remembered; the one that was wrong the longest ago is forgotten first."""

CHALLENGE = ("WWW-Authenticate", 'Bearer realm="hasync"')


class Gatekeeper:
    """Judges requests. Called from: request threads."""

    def __init__(self, token: Callable[[], str] | None, clock: Clock) -> None:
        """``token``: gives it anew each time, so that a rotated one counts at once; None: nobody may act.

        It may raise ConfigInvalid, which names the reference and never the secret.
        """
        self._token = token
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self) -> None:
        """Raise ConfigInvalid when there is to be a token and it cannot be had: told at the start, not when needed."""
        self._expected()

    @property
    def enabled(self) -> bool:
        """Whether the right token would open anything now."""
        try:
            return bool(self._expected())
        except ConfigInvalid:
            return False

    def refuse(self, request: Request) -> Answer | None:
        """Return why this request may not act, None when it may.

        Only the ``Authorization`` header counts. No browser sends that by itself to this
        port, so another site's page cannot act in an operator's name.
        """
        try:
            expected = self._expected()
        except ConfigInvalid as invalid:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "token_unavailable", invalid.message)
        if not expected:
            message = "admin actions are off; HASYNC_HTTP__ADMIN_TOKEN turns them on"
            return refusal(HTTPStatus.FORBIDDEN, "actions_disabled", message)
        if (wait_s := self._locked_out_s(request.remote)) > 0:
            again = ("Retry-After", str(int(wait_s) + 1))
            message = f"{WRONG_MAX} wrong tokens within {WRONG_S:g} s; come again later"
            return refusal(HTTPStatus.TOO_MANY_REQUESTS, "too_many_attempts", message, again)
        return self._judge(request, expected)

    def _judge(self, request: Request, expected: str) -> Answer | None:
        scheme, _, shown = request.header("authorization").partition(" ")
        if scheme.lower() != "bearer" or not shown.strip():
            message = "show the token: 'Authorization: Bearer TOKEN'"
            return refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", message, CHALLENGE)
        # Compared as bytes: compare_digest refuses text beyond ASCII, and wsgiref hands over latin-1.
        if hmac.compare_digest(shown.strip().encode("latin-1", "replace"), expected.encode()):
            return None
        self._count(request.remote)
        return refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", "this is not the token", CHALLENGE)

    def _expected(self) -> str:
        """Return the token, empty when there is none. Raises ConfigInvalid when it cannot be had, or is too short."""
        if self._token is None:
            return ""
        token = self._token().strip()
        if len(token) < TOKEN_MIN:
            problem = f"HASYNC_HTTP__ADMIN_TOKEN (http.admin_token): the token has fewer than {TOKEN_MIN} characters"
            hint = "make one with 'openssl rand -base64 32'"
            raise ConfigInvalid("the admin token can be guessed", problems=(problem,), hint=hint)
        return token

    def _locked_out_s(self, address: str) -> float:
        """Return how long this address has to wait before its next try."""
        with self._lock:
            times = self._recent(address)
            return times[0] + WRONG_S - self._clock.monotonic() if len(times) >= WRONG_MAX else 0.0

    def _count(self, address: str) -> None:
        with self._lock:
            times = self._wrong.setdefault(address, deque(maxlen=WRONG_MAX))
            times.append(self._clock.monotonic())
            self._wrong.move_to_end(address)
            while len(self._wrong) > ADDRESSES_MAX:
                self._wrong.popitem(last=False)

    def _recent(self, address: str) -> deque[float]:
        times = self._wrong.get(address, deque())
        while times and self._clock.monotonic() - times[0] >= WRONG_S:
            times.popleft()
        if not times:
            self._wrong.pop(address, None)
        return times
