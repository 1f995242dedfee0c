"""The text that `leaderboard dev` prints when the server is ready."""

from __future__ import annotations

EXAMPLE_QUERY = "{ leaderboard(limit: 3) { entries { rank score user { username } } } }"

WELCOME_TEMPLATE = """
  [bold green]The leaderboard is running.[/bold green] Press Ctrl-C to stop it; the data is kept in .data/

  [bold]Board[/bold]          {url}/
  [bold]GraphiQL[/bold]       {url}/graphiql
  [bold]GraphQL[/bold]        {url}/graphql
  [bold]Subscriptions[/bold]  {ws}/graphql   (graphql-transport-ws)

  [bold]A query[/bold], as GraphQL and with curl

    {query}

    curl -s {url}/graphql -H 'content-type: application/json' \\
      -d '{{"query": "{query}"}}'

{token_section}  [bold]See live updates[/bold]: run each command in its own terminal

    {leaderboard} watch{url_option}
    {leaderboard} play --players 200 --rate 50 --seconds 20{url_option}
"""

TOKEN_SECTION = """\
  [bold]A demo access token[/bold] of ada, valid for 12 hours (for others: {leaderboard} token --user NAME)

    {token}

    curl -s {url}/graphql -H 'content-type: application/json' -H 'authorization: Bearer {token}' \\
      -d '{{"query": "{{ me {{ user {{ username }} rank {{ rank score }} }} }}"}}'

"""


def welcome_text(url: str, token: str | None, *, leaderboard: str, is_published: bool) -> str:
    """Return the text, in the markup of rich.

    Args:
        url: The URL of the server.
        token: A demo access token; without one, the text has no section about tokens.
        leaderboard: The command by which the program is called in this folder.
        is_published: Whether commands in this folder find the server without `--url`.
    """
    url_option = "" if is_published else f" --url {url}"
    ws = url.replace("http", "ws", 1)
    token_section = TOKEN_SECTION.format(url=url, token=token, leaderboard=leaderboard) if token else ""
    return WELCOME_TEMPLATE.format(
        url=url, ws=ws, query=EXAMPLE_QUERY, token_section=token_section, leaderboard=leaderboard, url_option=url_option
    )
