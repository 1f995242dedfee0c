"""What the live board may cost. `python -m bench.live_page` measures it closely, on a machine at rest."""

from playwright.async_api import Response, expect

from tests.e2e.conftest import OpenTab
from tests.support.service import Service

JAVASCRIPT = 150_000
"""Bytes, compressed."""


async def test_the_board_needs_little_javascript(service: Service, open_tab: OpenTab):
    await service.player("alice").play("COMPLETE_LEVEL")
    tab = await open_tab("/environment.json")
    scripts: dict[str, int] = {}

    def received(response: Response) -> None:
        if response.url.endswith(".js"):
            assert response.headers["content-encoding"] == "gzip"
            scripts[response.url] = int(response.headers["content-length"])

    tab.page.on("response", received)
    await tab.visit()
    await expect(tab.rows).to_have_count(1)
    await tab.page.wait_for_load_state("networkidle")
    assert 0 < sum(scripts.values()) <= JAVASCRIPT
