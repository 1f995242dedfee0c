"""What the page does when the way to the service is bad, and what it says about it."""

import re

from playwright.async_api import Browser, Route, WebSocketRoute, expect

from app.config import Settings
from tests.e2e.conftest import OpenTab
from tests.support.browser import tab
from tests.support.processes.server_process import ServerProcess
from tests.support.service import Service, access_token, serving, settings_for
from tests.support.stores import BreakableServer

SOCKETS = re.compile(r"/graphql$")


async def refuse_socket(socket: WebSocketRoute) -> None:
    await socket.close(code=1011, reason="blocked on the way")


async def refuse_stream(route: Route) -> None:
    if route.request.headers.get("accept") == "text/event-stream":
        await route.abort()
    else:
        await route.fallback()


async def test_where_sockets_are_blocked_a_stream_of_events_keeps_the_board_live(browser: Browser, service: Service):
    async with tab(browser, service.url) as one:
        await one.page.route_web_socket(SOCKETS, refuse_socket)
        await one.visit()
        await one.expect_badge("Live")
        await expect(one.page.locator("header [data-tone]")).to_have_attribute("title", "over server-sent events")
        await service.player("alice").play("COMPLETE_LEVEL")
        await one.expect_board(("alice", 50))
        await service.player("bob").play("COMPLETE_MISSION", difficulty="hard")
        await one.expect_board(("bob", 100), ("alice", 50))


async def test_where_nothing_may_stay_open_the_board_is_polled(browser: Browser, service: Service):
    async with tab(browser, service.url) as one:
        await one.page.route_web_socket(SOCKETS, refuse_socket)
        await one.page.route("**/graphql", refuse_stream)
        await one.visit()
        await one.expect_badge("Polling")
        await service.player("alice").play("COMPLETE_LEVEL")
        await one.expect_board(("alice", 50))


async def test_the_page_climbs_back_to_a_socket_when_sockets_pass_again(browser: Browser, service: Service):
    blocked = True

    async def refuse_for_now(socket: WebSocketRoute) -> None:
        if blocked:
            await refuse_socket(socket)
        else:
            socket.connect_to_server()

    async with tab(browser, service.url) as one:
        await one.page.clock.install()
        await one.page.route_web_socket(SOCKETS, refuse_for_now)
        await one.visit()
        badge = one.page.locator("header [data-tone]")
        await expect(badge).to_have_attribute("title", "over server-sent events")
        # News must not put the climb off.
        await one.page.clock.run_for(20_000)
        await service.player("alice").play("COMPLETE_LEVEL")
        await one.expect_board(("alice", 50))
        blocked = False
        await one.page.clock.run_for(11_000)
        await expect(badge).to_have_attribute("title", "over a WebSocket")
        await service.player("bob").play("COMPLETE_MISSION", difficulty="hard")
        await one.expect_board(("bob", 100), ("alice", 50))


async def test_the_board_catches_up_by_itself_after_the_server_was_killed(browser: Browser, settings: Settings):
    async with ServerProcess(settings) as program, serving(settings) as other:
        await program.start()
        async with tab(browser, program.url) as one:
            await other.player("alice").play("COMPLETE_LEVEL")
            await one.visit()
            await one.expect_board(("alice", 50))
            await one.expect_badge("Live")
            await program.kill()
            await one.expect_badge("Reconnecting")
            await other.player("bob").play("COMPLETE_MISSION", difficulty="hard")
            await program.start()
            await one.expect_board(("bob", 100), ("alice", 50))
            await one.expect_badge("Live")


async def test_without_a_network_the_page_says_since_when_and_returns_at_once(service: Service, open_tab: OpenTab):
    await service.player("alice").play("COMPLETE_LEVEL")
    one = await open_tab()
    await one.expect_board(("alice", 50))
    await one.page.context.set_offline(True)
    await one.expect_badge(re.compile("Offline since"))
    await service.player("bob").play("COMPLETE_MISSION", difficulty="hard")
    await one.page.context.set_offline(False)
    await one.expect_board(("bob", 100), ("alice", 50))
    await one.expect_badge("Live")


async def test_a_board_whose_stores_are_away_is_called_stale(
    browser: Browser, postgres_server: BreakableServer, redis_server: BreakableServer
):
    settings = settings_for(postgres_server.url, redis_server.url)
    async with serving(settings) as service, tab(browser, service.url) as one:
        await service.player("alice").play("COMPLETE_LEVEL")
        await one.visit()
        await one.expect_badge("Live")
        redis_server.kill()
        postgres_server.kill()
        await one.expect_badge(re.compile("Stale since"))
        await one.expect_board(("alice", 50))
        await one.screenshot("stale")
        await postgres_server.start()
        await redis_server.start()
        await one.expect_badge("Live")


async def test_an_expired_sign_in_is_said_and_does_not_end_the_watching(service: Service, open_tab: OpenTab):
    one = await open_tab()
    await one.expect_badge("Live")
    await one.sign_in(access_token(service.settings, "alice", ttl=3))
    await expect(one.page.get_by_text("The sign-in of alice has expired. You are still watching.")).to_be_visible()
    await service.player("bob").play("COMPLETE_LEVEL")
    await one.expect_board(("bob", 50))
    await one.page.get_by_role("button", name="Sign in again").click()
    await expect(one.page.get_by_role("dialog", name="Sign in")).to_be_visible()


async def test_a_token_that_is_none_is_refused_in_words(open_tab: OpenTab):
    one = await open_tab()
    await one.sign_in("not a token")
    await expect(one.page.get_by_role("alert")).to_have_text("This is not an access token.")


async def test_over_a_limit_the_page_counts_down(browser: Browser, database_url: str, redis_url: str):
    settings = settings_for(database_url, redis_url, rate_limit_enabled=True, rate_limit_submit_per_user=1)
    async with serving(settings) as service, tab(browser, service.url) as one:
        await one.visit()
        play = one.page.get_by_role("button", name="Play Level for 50 points")
        await play.click()
        await expect(one.page.get_by_text("makes 50 for all time")).to_be_visible()
        await play.click()
        await expect(one.page.get_by_text(re.compile(r"That was a bit fast\. Go on in \d+ s\."))).to_be_visible()
        await one.screenshot("rate-limited")


async def test_too_many_windows_pause_the_oldest_until_it_is_wanted(service: Service, open_tab: OpenTab):
    token = access_token(service.settings, "alice")
    first = await open_tab()
    await first.sign_in(token)
    await first.expect_badge("Live")
    for _ in range(service.settings.ws_max_connections_per_user):
        another = await open_tab()
        await another.sign_in(token)
        await another.expect_badge("Live")
    await first.expect_badge("Paused: open elsewhere")
    await first.page.get_by_role("button", name="Watch here").click()
    await first.expect_badge("Live")
