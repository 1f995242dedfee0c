// The measured part of the service on Node: mercurius with its JIT for requests, graphql-ws on ws for subscriptions.
// Of every submission one trip to Redis for the limit, one statement in PostgreSQL, one trip to Redis for the board.

import Fastify from 'fastify'
import mercurius from 'mercurius'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import { Board } from './board.mjs'
import { callerOf } from './callers.mjs'
import { resolvers, socketSchema, typeDefs } from './schema.mjs'
import { Scores } from './scores.mjs'

const { DATABASE_URL, REDIS_URL, JWT_SECRET, JWT_AUDIENCE, LISTEN_FD } = process.env

const scores = new Scores(DATABASE_URL, REDIS_URL)
const board = new Board(REDIS_URL, scores)
await board.open()

const app = Fastify()
await app.register(mercurius, {
  schema: typeDefs,
  resolvers: resolvers({ scores, board }),
  jit: 1,
  context: (request) => ({ userId: callerOf(request.headers.authorization, JWT_SECRET, JWT_AUDIENCE) }),
})
app.get('/livez', async () => ({ status: 'ok' }))
await app.ready()

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
useServer({ schema: socketSchema({ board }) }, sockets)
app.server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request))
})

app.server.listen({ fd: Number(LISTEN_FD) })
process.on('SIGTERM', () => process.exit(0))
