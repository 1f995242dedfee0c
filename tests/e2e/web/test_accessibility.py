"""Axe finds nothing to complain about. Pictures are saved for people, who see what no rule does."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.e2e.conftest import OpenTab
from tests.support.browser import Tab
from tests.support.service import Service, access_token

PEOPLE = ("ada", "grace", "linus", "margaret", "katherine", "dennis", "barbara", "alan", "radia", "tim", "hedy", "ken")
ACTIONS = (("COMPLETE_LEVEL", None), ("COMPLETE_QUIZ", None), ("COMPLETE_MISSION", "hard"))
# Only what breathes for ever may still move.
CALM = """() => Promise.allSettled(
    document.getAnimations().filter(({ effect }) => effect.getTiming().iterations !== Infinity)
        .map((animation) => animation.finished))"""
SIZES = {
    "desktop": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
    "wall": {"width": 1920, "height": 1080},
}


async def populate(service: Service) -> None:
    """Create twelve players with different scores."""
    for place, name in enumerate(PEOPLE):
        for _ in range(1 + place % 5):
            action, difficulty = ACTIONS[place % len(ACTIONS)]
            await service.player(name).play(action, difficulty=difficulty)


async def assert_accessible(tab: Tab) -> None:
    """Axe's rules hold, once nothing moves or fades any more."""
    await tab.page.evaluate(CALM)
    results = await Axe().run(tab.page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_the_board_is_accessible(service: Service, open_tab: OpenTab, scheme: str, size: str):
    await populate(service)
    tab = await open_tab("/?wall" if size == "wall" else "/", color_scheme=scheme, viewport=SIZES[size])
    await expect(tab.rows).to_have_count(10)
    if size != "wall":
        await tab.sign_in(access_token(service.settings, "tim"))
        await expect(tab.page.locator("tr[data-you]").first).to_be_visible()
    await service.player("radia").play("COMPLETE_MISSION", difficulty="hard")
    await expect(tab.rows.first).to_contain_text("+100")
    await tab.screenshot(f"board-{size}-{scheme}")
    await assert_accessible(tab)


async def test_signing_in_is_accessible(open_tab: OpenTab):
    tab = await open_tab()
    await tab.page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(tab.page.get_by_role("dialog")).to_be_visible()
    await tab.screenshot("sign-in")
    await assert_accessible(tab)
    await tab.page.keyboard.press("Escape")
    await expect(tab.page.get_by_role("dialog")).to_have_count(0)


async def test_an_empty_board_is_accessible(open_tab: OpenTab):
    tab = await open_tab("/?category=puzzle&period=weekly")
    await expect(tab.page.get_by_role("heading", name="The podium is free")).to_be_visible()
    await tab.screenshot("empty")
    await assert_accessible(tab)
