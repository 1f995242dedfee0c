"""GraphiQL, without the internet: the browser of the tests can reach no other host."""

import httpx2
from playwright.async_api import expect

from tests.e2e.conftest import OpenTab
from tests.support.browser import Tab
from tests.support.service import Service, serving, settings_for

WIDE = {"viewport": {"width": 1440, "height": 900}}


async def run(tab: Tab, example: str) -> None:
    """Execute what the tab of that name holds."""
    # The editor is ready for work when it has read the schema.
    await tab.page.wait_for_load_state("networkidle")
    await tab.page.get_by_role("tab", name=example).click()
    await expect(tab.page.get_by_role("region", name="Operation Editor")).to_contain_text(example)
    await tab.page.get_by_role("button", name="Execute query").click()


async def expect_answer(tab: Tab, text: str) -> None:
    """Wait until the pane of results contains a text."""
    await expect(tab.page.get_by_role("region", name="Result Window").locator(".view-lines")).to_contain_text(text)


async def test_a_query_runs(service: Service, open_tab: OpenTab):
    await service.player("alice").play("COMPLETE_LEVEL")
    tab = await open_tab("/graphiql", **WIDE)
    await run(tab, "Board")
    await expect_answer(tab, '"alice"')
    await tab.screenshot("graphiql")


async def test_a_subscription_runs_over_a_socket(service: Service, open_tab: OpenTab):
    sockets: list[str] = []
    tab = await open_tab("/graphiql", **WIDE)
    tab.page.on("websocket", lambda socket: sockets.append(socket.url))
    await run(tab, "Live")
    await expect_answer(tab, '"SNAPSHOT"')
    await service.player("bob").play("COMPLETE_LEVEL")
    await expect_answer(tab, '"bob"')
    await expect_answer(tab, '"UPDATE"')
    assert sockets == [service.socket_url]


async def test_the_headers_speak_for_the_caller_also_on_sockets(service: Service, open_tab: OpenTab):
    sent: list[str] = []
    tab = await open_tab("/graphiql", **WIDE)
    tab.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    await run(tab, "Me")
    await expect_answer(tab, '"PLAYER"')
    await run(tab, "Live")
    await expect_answer(tab, '"SNAPSHOT"')
    assert '"type":"connection_init","payload":{"authorization":"Bearer ' in sent[0]


async def test_docs_and_explorer_are_there(open_tab: OpenTab):
    tab = await open_tab("/graphiql", **WIDE)
    await tab.page.get_by_role("button", name="Show Documentation Explorer").click()
    await expect(tab.page.get_by_text("root types", exact=False)).to_be_visible()
    await tab.page.get_by_role("button", name="Show GraphiQL Explorer").click()
    await expect(tab.page.locator(".docExplorerWrap, .graphiql-explorer-root").first).to_be_visible()


async def test_production_has_neither_the_ide_nor_demo_tokens(database_url: str, redis_url: str):
    secrets = {"jwt_secret": "a" * 40 + "1", "action_token_secret": "b" * 40 + "2"}
    settings = settings_for(database_url, redis_url, environment="production", **secrets)
    async with serving(settings) as service, httpx2.AsyncClient(base_url=service.url) as http:
        assert (await http.get("/graphiql")).status_code == 404
        assert (await http.post("/demo/token", json={"user": "alice"})).status_code == 404
        assert (await http.get("/environment.json")).json() == {"demo": False, "ide": False}
