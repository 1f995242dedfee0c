// The board in memory, read anew when Redis says that it moved; queries and subscriptions are served from it.

import { PubSub } from 'graphql-subscriptions'
import Redis from 'ioredis'
import { BOARD, CHANNEL, NAMES } from './scores.mjs'

const TOP = 100

export class Board {
  constructor(redisUrl, scores) {
    this.subscriber = new Redis(redisUrl)
    this.redis = scores.redis
    this.pubsub = new PubSub()
    this.pubsub.ee.setMaxListeners(0)
    this.entries = []
    this.totalUsers = 0
  }

  async open() {
    await this.subscriber.subscribe(CHANNEL)
    this.subscriber.on('message', async () => {
      await this.read()
      this.pubsub.publish('moved', { kind: 'UPDATE', leaderboard: this.top(10) })
    })
    await this.read()
  }

  async read() {
    const [flat, totalUsers] = await Promise.all([
      this.redis.zrevrange(BOARD, 0, TOP - 1, 'WITHSCORES'),
      this.redis.zcard(BOARD),
    ])
    const ids = flat.filter((_, position) => position % 2 === 0)
    const names = ids.length > 0 ? await this.redis.hmget(NAMES, ...ids) : []
    this.totalUsers = totalUsers
    this.entries = ids.map((id, position) => ({
      id: `global/${id}`,
      rank: position + 1,
      score: Number(flat[2 * position + 1]),
      user: { id, username: names[position] ?? '' },
    }))
  }

  top(limit) {
    return { id: 'global', totalUsers: this.totalUsers, entries: this.entries.slice(0, limit) }
  }

  async *updates(limit) {
    const news = this.pubsub.asyncIterableIterator('moved')
    try {
      yield { kind: 'SNAPSHOT', leaderboard: this.top(limit) }
      yield* news
    } finally {
      await news.return()
    }
  }
}
