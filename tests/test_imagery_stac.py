"""Searches page by page, against a server that answers wrongly in every way that real ones do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagery import stac
from imagery.cache import Cache
from imagery.errors import BadAnswerError, OfflineError, SourceError
from imagery.exchange import Hosts, Request
from imagery.http import Client
from imagery.stac import Answer, find_items, search_request
from tests.clocks import FastClock
from tests.pages import BOUNDS, PERIOD, bare_item, bodies, page, served
from tests.servers import Fault, Server, start

NOW = datetime(2026, 11, 23, tzinfo=UTC)
A, B, C = (bare_item(name) for name in "ABC")


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """Return a server that has nothing but what a test scripts."""
    with start("blank") as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """Return the server without what an earlier test left."""
    running.reset()
    return running


def first(server: Server, now: datetime = NOW) -> Request:
    """Return the first page's request."""
    hosts = Hosts(suffixes=(), configured=(server.url,))
    return search_request(server.url, hosts=hosts, collections=["c"], bounds=BOUNDS, period=PERIOD, now=now)


def search(server: Server, *answers: Any, client: Client | None = None) -> Answer:
    """Return what a search brings whose requests meet these answers in turn."""
    server.fault("/search*", served(*answers))
    return find_items(client or Client(clock=FastClock()), first(server), name="the catalogue")


def names(answer: Answer) -> list[str]:
    """Return the ids of what was found."""
    return [item["id"] for item in answer.items]


def onward(server: Server, token: str, **more: Any) -> dict[str, Any]:
    """Return a link to the next page."""
    return {"href": f"{server.url}/search", "method": "POST", "body": {"token": token}, "merge": True, **more}


def test_the_first_request_asks_for_place_and_time(server: Server) -> None:
    assert search(server, page([])).complete
    (body,) = bodies(server)
    assert body == {
        "collections": ["c"],
        "bbox": [35.921, 35.379, 35.976, 35.423],
        "datetime": "2024-11-20T00:00:00Z/2024-12-31T00:00:00Z",
        "limit": 100,
    }


def test_fields_that_are_not_needed_are_left_out_and_all_others_named() -> None:
    hosts = Hosts(suffixes=("x",))
    place: dict[str, Any] = {"hosts": hosts, "collections": ["c"], "bounds": BOUNDS, "period": PERIOD, "now": NOW}
    request = search_request("https://x/v1/", **place, leave_out=("assets",))
    assert request.url == "https://x/v1/search"
    assert request.body
    assert request.body["fields"] == {
        "include": ["type", "stac_version", "id", "collection", "geometry", "bbox", "properties"],
        "exclude": ["assets"],
    }


def test_pages_are_followed_and_complete(server: Server) -> None:
    answer = search(server, page([A], next_link=onward(server, "2")), page([B, C]))
    assert (names(answer), answer.complete, answer.warnings) == (["A", "B", "C"], True, ())
    one, two = bodies(server)
    assert two == one | {"token": "2"}


def test_a_link_that_does_not_merge_brings_its_whole_body(server: Server) -> None:
    search(server, page([A], next_link=onward(server, "2", merge=False)), page([B]))
    assert bodies(server)[1] == {"token": "2"}


def test_a_link_without_a_method_is_followed_by_get_with_its_headers_but_no_secret(server: Server) -> None:
    link = {"href": f"{server.url}/search?token=2", "headers": {"X-Page": "2", "Authorization": "x", "Cookie": "y"}}
    assert names(search(server, page([A], next_link=link), page([B]))) == ["A", "B"]
    second = server.log("/search?token=2")[0]
    assert (second.method, second.body, second.headers["x-page"]) == ("GET", b"", "2")
    assert not {"authorization", "cookie"} & second.headers.keys()


def test_a_context_that_counts_pages_is_followed_too(server: Server) -> None:
    answer = search(server, page([A], context={"next": 1, "limit": 1}), page([B], context={"limit": 1}))
    assert (names(answer), bodies(server)[1]["next"]) == (["A", "B"], 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"message": "oops"},
        {"type": "Collection", "features": []},
        {"type": "FeatureCollection"},
        {"type": "FeatureCollection", "features": {"A": 1}},
        [],
        None,
        "FeatureCollection",
    ],
)
def test_row_17_what_is_no_page_is_a_failure_and_not_an_empty_answer(server: Server, wrong: Any) -> None:
    with pytest.raises(BadAnswerError, match="FeatureCollection"):
        search(server, *[wrong] * 5)


def test_row_17_a_wrong_answer_is_asked_for_again(server: Server) -> None:
    answer = search(server, {"message": "oops"}, page([A]))
    assert (names(answer), answer.complete) == (["A"], True)


def test_row_17_a_wrong_second_page_makes_the_answer_a_part(server: Server) -> None:
    answer = search(server, page([A], next_link=onward(server, "2")), *[{"message": "oops"}] * 5)
    assert (names(answer), answer.complete) == (["A"], False)
    assert "the search ended after 1 items" in answer.warnings[0]


def test_row_18_an_empty_page_with_a_next_link_goes_on(server: Server) -> None:
    pages = [page([], next_link=onward(server, "2")), page([], next_link=onward(server, "3")), page([A])]
    answer = search(server, *pages)
    assert (names(answer), answer.complete) == (["A"], True)


def test_row_18_no_scenes_is_believed_only_of_a_whole_answer(server: Server) -> None:
    empty = search(server, page([]))
    assert (empty.items, empty.complete, empty.warnings) == ((), True, ())


def test_row_19_a_link_back_to_the_same_page_ends_the_search(server: Server) -> None:
    answer = search(server, page([A], next_link=onward(server, "2")), page([B], next_link=onward(server, "2")))
    assert (names(answer), answer.complete, len(bodies(server))) == (["A", "B"], False, 2)
    assert "lead back" in answer.warnings[0]


def test_row_19_items_that_come_again_are_taken_once(server: Server) -> None:
    answer = search(server, page([A, B], next_link=onward(server, "2")), page([B, C]))
    assert (names(answer), answer.complete) == (["A", "B", "C"], True)
    assert answer.warnings == ("the catalogue: 1 items came again on a later page; each is taken once",)


def test_row_19_pages_without_an_end_are_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stac, "MOST_PAGES", 7)
    answer = search(server, *[page([bare_item(str(k))], next_link=onward(server, str(k))) for k in range(20)])
    assert (len(answer.items), answer.complete, len(bodies(server))) == (7, False, 7)
    assert "more than 7 pages" in answer.warnings[0]


@pytest.mark.parametrize(
    "href",
    ["https://example.org/search", "http://127.0.0.1:9/search", "/search?token=2", "file:///search", "", None, 5],
)
def test_row_20_a_link_to_another_place_is_not_followed(server: Server, href: Any) -> None:
    answer = search(server, page([A], next_link={"href": href, "method": "POST", "body": {}}), page([B]))
    assert (names(answer), answer.complete, len(bodies(server))) == (["A"], False, 1)
    assert "leads elsewhere" in answer.warnings[0]


def test_row_20_plain_http_instead_of_https_is_not_followed() -> None:
    document = page([], next_link={"href": "http://example.org/v1/search?page=2"})
    request = Request(url="https://example.org/v1/search", hosts=Hosts(suffixes=("example.org",)))
    with pytest.raises(BadAnswerError, match="leads elsewhere"):
        stac._next_request(document, request)


@pytest.mark.parametrize("link", [{"method": "DELETE"}, {"body": [1]}, {"headers": "x"}])
def test_a_link_that_makes_no_sense_is_not_followed(server: Server, link: dict[str, Any]) -> None:
    answer = search(server, page([A], next_link=onward(server, "2") | link))
    assert (names(answer), answer.complete) == (["A"], False)


@pytest.mark.parametrize("count", [{"numberMatched": 37}, {"context": {"matched": 37}}])
def test_row_21_fewer_than_the_catalogue_says_is_a_part(server: Server, count: dict[str, Any]) -> None:
    answer = search(server, page([bare_item(str(k)) for k in range(30)], **count))
    assert (len(answer.items), answer.complete) == (30, False)
    assert answer.warnings == ("the catalogue: says that it has 37 items, and gave 30",)


@pytest.mark.parametrize("count", [{"numberMatched": 1}, {"numberMatched": "many"}, {"context": [1]}])
def test_a_count_that_is_met_or_is_none_is_no_trouble(server: Server, count: dict[str, Any]) -> None:
    assert search(server, page([A], **count)).complete


def test_row_22_a_failing_third_page_alone_is_asked_for_again(server: Server) -> None:
    pages = [page([A], next_link=onward(server, "2")), page([B], next_link=onward(server, "3"))]
    answer = search(server, *pages, 504, 502, page([C]))
    assert (names(answer), answer.complete, answer.warnings) == (["A", "B", "C"], True, ())
    assert [body.get("token") for body in bodies(server)] == [None, "2", "3", "3", "3"]


def test_row_22_what_was_got_is_kept_where_a_page_fails_for_good(server: Server) -> None:
    answer = search(server, page([A], next_link=onward(server, "2")), *[504] * 5)
    assert (names(answer), answer.complete) == (["A"], False)
    assert "504" in answer.warnings[0]


def test_nothing_at_all_is_an_error(server: Server) -> None:
    with pytest.raises(SourceError, match="504"):
        search(server, *[504] * 5)


def test_a_first_page_without_items_is_no_reason_to_forget_the_failure_of_the_second(server: Server) -> None:
    answer = search(server, page([], next_link=onward(server, "2")), *[504] * 5)
    assert (answer.items, answer.complete) == ((), False)


def test_what_is_no_item_is_passed_on_to_be_refused_by_name(server: Server) -> None:
    answer = search(server, page([A, "nonsense", None]))
    assert (len(answer.items), answer.complete) == (3, True)


def test_a_kept_search_is_not_asked_again(server: Server, tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=1 << 20)
    search(server, page([A], next_link=onward(server, "2")), page([B]), client=Client(cache=cache))
    assert names(search(server, client=Client(cache=cache))) == ["A", "B"]
    assert names(search(server, client=Client(cache=cache, offline=True))) == ["A", "B"]
    assert len(bodies(server)) == 2


def test_row_21_pages_that_do_not_add_up_are_asked_for_again_by_the_next_run(server: Server, tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=1 << 20)
    part = search(server, page([A], numberMatched=2), page([A, B], numberMatched=2), client=Client(cache=cache))
    assert (names(part), part.complete) == (["A"], False)
    # Without a network the part is all there is.
    assert names(search(server, client=Client(cache=cache, offline=True))) == ["A"]
    whole = search(server, client=Client(cache=cache))
    assert (names(whole), whole.complete, len(bodies(server))) == (["A", "B"], True, 2)
    assert search(server, client=Client(cache=cache)).complete
    assert len(bodies(server)) == 2


def test_a_wrong_answer_is_never_kept(server: Server, tmp_path: Path) -> None:
    cache = Cache(tmp_path, most_bytes=1 << 20)
    with pytest.raises(BadAnswerError):
        search(server, *[{"message": "oops"}] * 5, client=Client(cache=cache, clock=FastClock()))
    with pytest.raises(OfflineError):
        search(server, client=Client(cache=cache, offline=True))


@pytest.mark.parametrize(("days", "kept"), [(31, timedelta(days=7)), (29, timedelta(hours=1))])
def test_searches_of_settled_periods_are_kept_longer(server: Server, days: int, kept: timedelta) -> None:
    assert first(server, PERIOD.end + timedelta(days=days)).keep == kept


def test_a_busy_catalogue_is_waited_for(server: Server) -> None:
    clock = FastClock()
    server.fault("/search", [Fault(status=429, headers={"Retry-After": "2"})])
    assert names(search(server, page([A]), client=Client(clock=clock))) == ["A"]
    assert sum(clock.slept) >= 2
