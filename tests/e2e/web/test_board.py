"""The live board, looked at through a browser."""

import re

import pytest
from playwright.async_api import expect
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.domain.users import Role
from tests.e2e.conftest import OpenTab
from tests.support.service import Service, access_token


async def test_a_score_submitted_elsewhere_moves_the_board(service: Service, open_tab: OpenTab):
    alice, bob = service.player("alice"), service.player("bob")
    await alice.play("COMPLETE_LEVEL")
    tab = await open_tab()
    await tab.expect_board(("alice", 50))
    await tab.expect_badge("Live")
    await bob.play("COMPLETE_MISSION", difficulty="hard")
    await tab.expect_board(("bob", 100), ("alice", 50))
    await alice.play("COMPLETE_MISSION", difficulty="hard")
    await tab.expect_board(("alice", 150), ("bob", 100))
    alice_row = tab.rows.first
    await expect(alice_row).to_contain_text("up 1")
    await expect(alice_row).to_contain_text("+100")


async def test_scores_are_written_in_the_format_of_the_category(service: Service, open_tab: OpenTab):
    category = {"id": "global", "scoreFormat": {"kind": "DURATION_MS", "unit": "min"}, "reason": "test"}
    save = "mutation ($input: SaveCategoryInput!) { saveCategory(input: $input) { id } }"
    await service.player("moderator", Role.MODERATOR).ask(save, input=category)
    alice = service.player("alice")
    await alice.play("COMPLETE_LEVEL")
    tab = await open_tab()
    await expect(tab.rows.first).to_contain_text("0:00.050 min")
    await alice.play("COMPLETE_LEVEL")
    await expect(tab.rows.first).to_contain_text("+0:00.050 min")
    await expect(tab.rows.first).to_contain_text("0:00.100 min")


async def test_two_tabs_agree(service: Service, open_tab: OpenTab):
    one, other = await open_tab(), await open_tab()
    for name in ("carol", "dave", "carol"):
        await service.player(name).play("COMPLETE_LEVEL")
    for tab in (one, other):
        await tab.expect_board(("carol", 100), ("dave", 50))


async def test_a_board_without_scores_says_so(open_tab: OpenTab):
    tab = await open_tab()
    await expect(tab.page.get_by_role("heading", name="The podium is free")).to_be_visible()


async def test_categories_and_periods_are_tabs_with_addresses(service: Service, open_tab: OpenTab):
    await service.player("alice").play("COMPLETE_LEVEL")
    await service.player("bob").play("SOLVE_PUZZLE", difficulty="hard")
    tab = await open_tab()
    await tab.expect_board(("alice", 50))
    await tab.page.get_by_role("tab", name="Puzzle").click()
    await tab.expect_board(("bob", 30))
    await tab.page.get_by_role("tab", name="Today").click()
    await tab.expect_board(("bob", 30))
    await expect(tab.page.get_by_role("timer")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    await expect(tab.page).to_have_url(re.compile(r"\?category=puzzle&period=daily$"))
    await tab.page.go_back()
    await tab.page.go_back()
    await tab.expect_board(("alice", 50))


async def test_tabs_are_one_stop_and_obey_the_arrow_keys(service: Service, open_tab: OpenTab):
    await service.player("alice").play("COMPLETE_LEVEL")
    tab = await open_tab()
    periods = tab.page.get_by_role("tablist", name="Period")
    await periods.get_by_role("tab", name="All time").focus()
    await tab.page.keyboard.press("ArrowRight")
    await expect(periods.get_by_role("tab", name="Today")).to_be_focused()
    await expect(periods.get_by_role("tab", name="Today")).to_have_attribute("aria-selected", "true")
    await tab.page.keyboard.press("End")
    await expect(periods.get_by_role("tab", name="This month")).to_be_focused()
    await tab.page.keyboard.press("Tab")
    await expect(tab.page.get_by_role("tab", name="Global")).to_be_focused()


async def test_one_click_plays_an_action_from_permission_to_points(open_tab: OpenTab):
    tab = await open_tab()
    await tab.page.get_by_role("button", name="Play Level for 50 points").click()
    await expect(tab.page.get_by_text("makes 50 for all time")).to_be_visible()
    await expect(tab.rows).to_have_count(1)
    await expect(tab.rows.first).to_contain_text("you")
    you = tab.page.get_by_role("region", name="You", exact=True)
    await expect(you.get_by_role("table").get_by_role("row")).to_have_count(2)  # with the headings
    await expect(you.get_by_text("Last 14 days")).to_be_visible()


async def test_you_are_shown_among_your_neighbours_and_told_who_passed(service: Service, open_tab: OpenTab):
    for name, times in (("ann", 3), ("ben", 2), ("cid", 1)):
        for _ in range(times):
            await service.player(name).play("COMPLETE_LEVEL")
    tab = await open_tab()
    await tab.sign_in(access_token(service.settings, "cid"))
    you = tab.page.get_by_role("region", name="You", exact=True)
    await expect(you.locator("tbody tr")).to_have_count(3)
    await expect(you.locator("tr[data-you]")).to_contain_text("cid")
    await service.player("cid").play("COMPLETE_MISSION", difficulty="hard")
    await expect(you.get_by_text("You passed ben.")).to_be_visible()
    await service.player("ben").play("COMPLETE_MISSION", difficulty="hard")
    await expect(you.get_by_text("ben passed you.")).to_be_visible()


async def test_rows_glide_unless_motion_is_unwanted(service: Service, open_tab: OpenTab):
    alice, bob = service.player("alice"), service.player("bob")
    await alice.play("COMPLETE_LEVEL")
    moving, still = await open_tab(), await open_tab(reduced_motion="reduce")
    # Every glide is an animation that somebody starts: count the starts.
    count = """() => { window.glides = 0; const start = Element.prototype.animate
        Element.prototype.animate = function (...all) { window.glides += 1; return start.apply(this, all) } }"""
    for tab in (moving, still):
        await tab.expect_board(("alice", 50))
        await tab.page.evaluate(count)
    await bob.play("COMPLETE_MISSION", difficulty="hard")
    for tab in (moving, still):
        await tab.expect_board(("bob", 100), ("alice", 50))
    assert await moving.page.evaluate("window.glides") == 2
    assert await still.page.evaluate("window.glides") == 0


async def test_a_screen_reader_hears_of_a_new_leader_and_not_of_every_point(service: Service, open_tab: OpenTab):
    alice, bob = service.player("alice"), service.player("bob")
    await alice.play("COMPLETE_LEVEL")
    tab = await open_tab()
    await tab.expect_board(("alice", 50))
    # Whatever is said between now and the end is kept.
    await tab.page.evaluate("""() => {
        const live = document.querySelector("#board > p[aria-live=polite]")
        window.said = []
        new MutationObserver(() => window.said.push(live.textContent)).observe(
            live, { childList: true, characterData: true, subtree: true })
    }""")
    await alice.play("COMPLETE_LEVEL")
    await tab.expect_board(("alice", 100))
    for _ in range(3):
        await bob.play("COMPLETE_MISSION", difficulty="hard")
    await tab.expect_board(("bob", 300), ("alice", 100))
    await expect(tab.page.locator("#board > p[aria-live=polite]")).to_have_text("bob leads with 300 points.")
    assert await tab.page.evaluate("window.said") == ["bob leads with 300 points."]


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (3840, 2160), (1280, 720)])
async def test_a_wall_screen_shows_all_ten_without_scrolling(
    service: Service, open_tab: OpenTab, size: tuple[int, int]
):
    width, height = size
    for number in range(12):
        await service.player(f"player-{number}").play("COMPLETE_LEVEL")
    tab = await open_tab("/?wall", viewport={"width": width, "height": height})
    await expect(tab.rows).to_have_count(10)
    await expect(tab.page.get_by_role("button", name="Play Level")).to_have_count(0)
    last = await tab.rows.last.bounding_box()
    assert last is not None
    assert 0.93 * height <= last["y"] + last["height"] <= height
    assert await tab.page.evaluate("document.documentElement.scrollHeight") <= height


async def test_a_phone_needs_no_sideways_scrolling(service: Service, open_tab: OpenTab):
    await service.player("a-name-as-long-as-any-that-a-board-ever-has-to-show"[:50]).play("COMPLETE_LEVEL")
    tab = await open_tab(viewport={"width": 360, "height": 740})
    await expect(tab.rows).to_have_count(1)
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_players_with_equal_scores_get_the_same_medal(service: Service, open_tab: OpenTab):
    for name in ("alice", "bob"):
        await service.player(name).play("COMPLETE_MISSION", difficulty="hard")
    for name in ("carol", "dave"):
        await service.player(name).play("COMPLETE_LEVEL")
    tab = await open_tab()
    await tab.expect_board(("alice", 100), ("bob", 100), ("carol", 50), ("dave", 50))
    medals = await tab.rows.evaluate_all("rows => rows.map(row => row.dataset.medal)")
    assert medals == ["1", "1", "3", "3"]


async def test_the_address_of_an_unknown_category_does_not_become_the_headline(service: Service, open_tab: OpenTab):
    await service.player("alice").play("COMPLETE_LEVEL")
    tab = await open_tab("/?category=Your+account+is+blocked")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("Unknown category")
    await expect(tab.page.get_by_text("Your account is blocked")).to_have_count(0)
    tab.errors.clear()
    await tab.page.get_by_role("button", name="Show the global board").click()
    await tab.expect_board(("alice", 50))
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("Global")


async def test_a_stored_sign_in_that_cannot_be_read_does_not_keep_the_board_from_showing(
    service: Service, open_tab: OpenTab
):
    await service.player("alice").play("COMPLETE_LEVEL")
    tab = await open_tab()
    for value in ("not JSON", "null", "[]", '{"token": 5}'):
        await tab.page.evaluate("value => sessionStorage.setItem('leaderboard.session', value)", value)
        await tab.page.reload()
        await tab.expect_board(("alice", 50))


async def test_a_refused_action_is_explained_in_a_sentence(service: Service, open_tab: OpenTab):
    tab = await open_tab()
    daily = tab.page.get_by_role("button", name=re.compile("^Play Daily login"))
    await daily.click()
    await expect(tab.page.get_by_text("makes 5 for all time")).to_be_visible()
    await daily.click()
    await expect(tab.page.get_by_role("alert")).to_contain_text("You have reached the daily limit of this action.")


async def test_a_screen_reader_is_told_of_the_state_of_the_connection(service: Service, open_tab: OpenTab):
    tab = await open_tab()
    await expect(tab.page.locator("header [role=status]")).to_have_text("Connection: live")


async def test_places_gained_since_yesterday_are_shown(
    service: Service, database_url: str, open_tab: OpenTab
):
    alice, bob = service.player("alice"), service.player("bob")
    await alice.play("COMPLETE_LEVEL")
    await bob.play("COMPLETE_QUIZ")
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE score_transactions SET created_at = created_at - interval '1 day'"))
    await engine.dispose()
    await bob.play("COMPLETE_MISSION", difficulty="hard")
    tab = await open_tab()
    await tab.expect_board(("bob", 110), ("alice", 50))
    for name, moved in (("bob", "▲up 1 since yesterday"), ("alice", "▼down 1 since yesterday")):
        await expect(tab.page.locator(f"[data-user={name}] td").nth(1)).to_have_text(moved)
