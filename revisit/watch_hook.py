"""The webhook: notices sent as signed JSON, each under a stable name, until the receiver acknowledges them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imagery.addresses import Reach, parse_origin, reach_of
from imagery.errors import AddressError, SourceError
from imagery.exchange import Hosts
from imagery.retry import Clock, Patience
from revisit.errors import UsageError
from revisit.watch_store import WatchState
from revisit.watch_values import Notice

SECRET_VARIABLE = "REVISIT_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable, not a secret
LEAST_SECRET = 16
"""Characters: shorter ones can be guessed from one message."""


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Where notices go."""

    url: str = field(repr=False)
    secret: bytes = field(repr=False)
    reach: Reach
    origin: str
    """Scheme, host and port: all of the address that may be shown."""


def signature(secret: bytes, body: bytes, *, moment: int) -> str:
    """Return the value of the header Revisit-Signature.

    Parameters
    ----------
    secret
        That sender and receiver share.
    body
        As it is sent.
    moment
        Seconds since 1970: a receiver refuses what is older than it likes, so that nobody can send it again.

    Examples
    --------
    >>> signature(b"0123456789abcdef", b"{}", moment=1)[:10]
    't=1,v1=3c3'
    """
    digest = hmac.new(secret, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def webhook_of(url: str, environment: Mapping[str, str], *, allow_private: bool) -> Webhook:
    """Return a webhook, its address and secret checked before anything is looked at.

    Parameters
    ----------
    url
        https, or http on this machine.
    environment
        Where the secret stands.
    allow_private
        Whether the name may lead to a machine that is not on the public Internet, or to another port than 443.

    Raises
    ------
    UsageError
        For an address that is not asked and a secret that is missing or short; neither is shown.
    """
    secret = environment.get(SECRET_VARIABLE, "")
    if len(secret) < LEAST_SECRET:
        state = f"has {len(secret)} characters" if secret else "is not set"
        raise UsageError(f"{SECRET_VARIABLE} {state}; a webhook is signed with it, and it needs {LEAST_SECRET} or more")
    try:
        origin = parse_origin(url)
        own = allow_private or origin.is_loopback
        hosts = Hosts(suffixes=() if own else (origin.host,), configured=(str(origin),) if own else ())
        reach = reach_of(url, hosts)
    except AddressError as error:
        # The address itself may hold a secret, wherever it stands in it.
        why = str(error).rpartition("is not asked: ")[2]
        more = "" if allow_private else "; --allow-private lets it lead to other ports and into your own network"
        raise UsageError(f"the address of the webhook cannot be used: {why}{more if 'port' in why else ''}") from None
    return Webhook(url=url, secret=secret.encode(), reach=reach, origin=str(origin))


def deliver_notices(
    state: WatchState,
    names: Sequence[str],
    webhook: Webhook,
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> str | None:
    """Send what waits, oldest first; stop where the receiver does not take it, so that the order is kept.

    Parameters
    ----------
    state
        Where each acknowledgement is kept.
    names
        Of the areas whose notices are sent.
    webhook
        Where to.
    patience, clock
        How long to try, and the time.

    Returns
    -------
    str or None
        Why something still waits; None where nothing does.
    """
    from imagery.http.posting import PATIENCE, Parcel, deliver

    ticking = clock or Clock()
    for notice in waiting(state, names):
        body = notice.payload.encode()

        def headers(body: bytes = body, name: str = notice.id) -> Mapping[str, str]:
            return {
                "content-type": "application/json",
                "user-agent": "revisit (satellite change detection)",
                "idempotency-key": name,
                "revisit-signature": signature(webhook.secret, body, moment=int(ticking.now().timestamp())),
            }

        parcel = Parcel(url=webhook.url, reach=webhook.reach, body=body, headers=headers)
        try:
            deliver(parcel, patience=patience or PATIENCE, clock=ticking)
        except AddressError as error:
            return f"{error}. --allow-private lets it lead into your own network"
        except SourceError as error:
            return str(error)
        state.mark_taken(notice)
    return None


def waiting(state: WatchState, names: Sequence[str]) -> tuple[Notice, ...]:
    """Return the notices that a receiver has not acknowledged, oldest first."""
    return tuple(notice for notice in state.notices(names) if notice.webhook == "waiting")
