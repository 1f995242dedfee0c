// Watches a board or a player, and prints every update and every change of the connection.
// { url, tokens?: [], users?: [], player?: bool, view?: {}, blocked?: ["websocket", "sse"], clients?: number }
// `users` are the access tokens of several users: after each update the next one signs in. Several `clients` are
// connected one after the other.
import { LeaderboardClient, watchBoard, watchPlayer } from 'leaderboard-client'
import { options, report, tokensInTurn } from './report.mjs'

const { url, tokens = [], users = [], player = false, view = {}, blocked = [], clients = 1 } = options

/** A socket on the way to which something refuses connections. */
class BlockedWebSocket extends WebSocket {
  constructor(_url, protocols) {
    super('ws://127.0.0.1:9/', protocols)
  }
}

const fetchWithoutStreams = (input, init) =>
  init.headers.accept === 'text/event-stream' ? Promise.reject(new TypeError('blocked')) : fetch(input, init)

const client = () =>
  new LeaderboardClient({
    url,
    accessToken: users.length > 0 ? () => users[0] : tokensInTurn(tokens),
    webSocket: blocked.includes('websocket') ? BlockedWebSocket : WebSocket,
    fetch: blocked.includes('sse') ? fetchWithoutStreams : fetch,
  })

function reportPlayer(number, { standing, scoreDelta }) {
  report({ number, name: standing.user.username, score: standing.score, rank: standing.rank, scoreDelta })
}

function reportBoard(number, { board, changes }) {
  const entries = board.entries.map((entry) => [entry.user.username, entry.score])
  const changed = changes.map((change) => change.user.username)
  report({ number, epoch: board.epoch, version: board.version, entries, changed })
}

/** Watches, and resolves when the value is kept current. */
function watchWith(client, number) {
  return new Promise((resolve) => {
    const connection = (connection) => {
      report({ number, connection })
      if (connection.state === 'live') resolve()
    }
    const next = (update) => {
      if (player) reportPlayer(number, update)
      else reportBoard(number, update)
      if (users.length > 1) {
        users.shift()
        client.signInChanged()
      }
    }
    if (player) watchPlayer(client, view, { next, connection })
    else watchBoard(client, view, { next, connection })
  })
}

for (let number = 0; number < clients; number++) await watchWith(client(), number)
