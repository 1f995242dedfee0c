"""The catalogue of a process is read again when a notice says so, or when notices may have been lost."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.pubsub.channels.events import CatalogueChanged, Notice, NoticesLost
from app.services.invalidation import Invalidation
from app.wiring import App
from tests.support.wait_until import until


@pytest.mark.parametrize("notice", [CatalogueChanged(), NoticesLost()], ids=lambda notice: type(notice).__name__)
async def test_the_catalogue_is_read_again_after_a_notice(app: App, notice: Notice):
    async with app.database.begin() as connection:
        await connection.execute(text("UPDATE categories SET name = 'Renamed' WHERE id = 'global'"))
    Invalidation((app.profiles, app.users, app.account_cache), app.past_answers, app.catalogue)(notice)
    assert app.catalogue.outdated.is_set()
    await until(lambda: app.catalogue.current.category("global").name == "Renamed")
