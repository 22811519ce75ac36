"""The console's pages as a browser asks for them, without one."""

from html.parser import HTMLParser

import httpx
import pytest

from tests.api.http.serving import Serving

BROWSER = {"accept": "text/html,application/xhtml+xml"}
PAGES = [
    "/",
    "/?q=zz",
    "/users",
    "/runs/ended",
    "/runs/many?after=10",
    "/runs/ended/rows/ops/large",
    "/runs/ended/rows/ops/review",
]


class _Forbidden(HTMLParser):
    """Collects what the content security policy would not run or apply."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.found.append(tag)
        self.found += [f"{tag}[{name}]" for name in given if name == "style" or name.startswith("on")]
        if given.get("id"):
            self.ids.append(str(given["id"]))


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_nothing_inline_and_no_id_twice(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path, headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    parser = _Forbidden()
    parser.feed(answer.text)
    assert parser.found == []
    assert len(parser.ids) == len(set(parser.ids))


async def test_a_large_output_is_shown_up_to_its_limit(http: httpx.AsyncClient) -> None:
    page = (await http.get("/runs/ended/rows/ops/large", headers=BROWSER)).text
    assert "The first 64 KiB of 97.7 KiB" in page
    assert len(page) < 3 * 65536


async def test_rows_are_paged(http: httpx.AsyncClient) -> None:
    page = (await http.get("/runs/many?after=10", headers=BROWSER)).text
    assert "many/010" not in page
    assert "many/011" in page


@pytest.mark.parametrize("path", ["/runs/nothing", "/runs/ended/rows/not/there", "/elsewhere"])
async def test_a_browser_gets_a_page_for_what_is_not_there(http: httpx.AsyncClient, path: str) -> None:
    page = await http.get(path, headers=BROWSER)
    assert page.status_code == 404
    assert "<h1>Nothing here</h1>" in page.text
    program = await http.get(path, headers={"accept": "application/json"})
    assert program.json()["error"]["code"] == "NOT_FOUND"


async def test_a_browser_without_token_is_told_what_to_do(small: Serving) -> None:
    async with httpx.AsyncClient(base_url=small.url, headers=BROWSER, timeout=60) as client:
        page = await client.get("/")
        assert page.status_code == 401
        assert "PRISM_API_TOKEN" in page.text
        assert (await client.get("/static/base.css")).status_code == 200
        assert (await client.get("/static/../app.py")).status_code in {401, 404}


async def test_static_files_are_asked_for_again_and_not_sent_twice(http: httpx.AsyncClient) -> None:
    first = await http.get("/static/console.js")
    assert first.headers["cache-control"] == "no-cache"
    again = await http.get("/static/console.js", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
