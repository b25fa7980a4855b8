"""Tokens: renewed in time, once for all threads, whatever the clock of the day says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from imagery.credentials import Secret
from imagery.retry import Clock
from imagery.tokens import Token, Tokens


class HandClock(Clock):
    """Stands still until it is moved."""

    at = 0.0

    def monotonic(self) -> float:
        return self.at


class Giver:
    """Gives numbered tokens."""

    def __init__(self, life_s: float) -> None:
        self.life_s, self.given = life_s, 0

    def __call__(self) -> Token:
        self.given += 1
        return Token(value=Secret(f"token {self.given}"), life_s=self.life_s)


@pytest.mark.parametrize(("life_s", "renewed_s"), [(5, 4.0), (119, 95.2), (600, 480.0), (3600, 3480.0)])
def test_a_token_is_renewed_before_its_end_and_not_sooner(life_s: float, renewed_s: float) -> None:
    giver, clock = Giver(life_s), HandClock()
    tokens = Tokens(giver, clock)
    assert tokens.get().reveal() == "token 1"
    clock.at = renewed_s - 0.01
    assert tokens.get().reveal() == "token 1"
    clock.at = renewed_s + 0.01
    assert tokens.get().reveal() == "token 2"


def test_many_threads_that_are_refused_one_token_get_one_new_one() -> None:
    giver = Giver(600)
    tokens = Tokens(giver, HandClock())
    first = tokens.get()
    together = Barrier(8)

    def refused(_: int) -> str:
        together.wait()
        return tokens.get(refused=first).reveal()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(refused, range(8))) == {"token 2"}
    assert giver.given == 2


def test_a_refusal_of_an_older_token_does_not_cost_the_present_one() -> None:
    giver = Giver(600)
    tokens = Tokens(giver, HandClock())
    first = tokens.get()
    second = tokens.get(refused=first)
    assert tokens.get(refused=first) is second
    assert giver.given == 2
