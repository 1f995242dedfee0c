"""The text that `leaderboard dev` prints when it is ready."""

from __future__ import annotations

QUERY = "{ leaderboard(limit: 3) { entries { rank score user { username } } } }"

WELCOME = """
  [bold green]The leaderboard is running.[/bold green] Press Ctrl-C to stop it; the data is kept in .data/

  [bold]Board[/bold]          {url}/
  [bold]GraphiQL[/bold]       {url}/graphiql
  [bold]GraphQL[/bold]        {url}/graphql
  [bold]Subscriptions[/bold]  {ws}/graphql   (graphql-transport-ws)

  [bold]A query[/bold], as GraphQL and with curl

    {query}

    curl -s {url}/graphql -H 'content-type: application/json' \\
      -d '{{"query": "{query}"}}'

{me}  [bold]See live updates[/bold]: run each command in its own terminal

    {leaderboard} watch{at}
    {leaderboard} play --players 200 --rate 50 --seconds 20{at}
"""

ME = """  [bold]A demo access token[/bold] of ada, valid for 12 hours (for others: {leaderboard} token --user NAME)

    {token}

    curl -s {url}/graphql -H 'content-type: application/json' -H 'authorization: Bearer {token}' \\
      -d '{{"query": "{{ me {{ user {{ username }} rank {{ rank score }} }} }}"}}'

"""


def welcome(url: str, token: str | None, *, leaderboard: str, default_port: bool) -> str:
    """The text, in rich's markup. `url` is the server's, `leaderboard` how the program is called here.

    Without a `token` nothing is said about tokens: they come from elsewhere.
    """
    at = "" if default_port else f" --url {url}"
    ws = url.replace("http", "ws", 1)
    me = ME.format(url=url, token=token, leaderboard=leaderboard) if token else ""
    return WELCOME.format(url=url, ws=ws, query=QUERY, me=me, leaderboard=leaderboard, at=at)
