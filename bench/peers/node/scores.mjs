// Issue, submit and rank: one statement each in PostgreSQL, one script each in Redis.

import { createHash, randomBytes } from 'node:crypto'
import Redis from 'ioredis'
import pg from 'pg'

export const BOARD = 'node:board'
export const NAMES = 'node:names'
export const CHANNEL = 'node:moved'

const POINTS = 50
const SHOWN = 10
const PER_MINUTE = 1_000_000

const COUNT = `
  local hits = redis.call('INCR', KEYS[1])
  if hits == 1 then redis.call('PEXPIRE', KEYS[1], 60000) end
  return hits`

const PUT = `
  local before = redis.call('ZREVRANK', KEYS[1], ARGV[1])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
  local after = redis.call('ZREVRANK', KEYS[1], ARGV[1])
  if after < tonumber(ARGV[4]) then redis.call('PUBLISH', ARGV[3], 'moved') end
  return {before, after}`

const SUBMIT = {
  name: 'submit',
  text: `
    WITH consumed AS (
      UPDATE action_tokens SET used_at = now()
      WHERE token_hash = $1 AND user_id = $2 AND used_at IS NULL RETURNING points
    ), raised AS (
      UPDATE users SET score = score + consumed.points FROM consumed WHERE id = $2 RETURNING score, points
    )
    INSERT INTO transactions (user_id, token_hash, delta, score) SELECT $2, $1, points, score FROM raised
    RETURNING id, delta, score`,
}
const ISSUE = { name: 'issue', text: 'INSERT INTO action_tokens (token_hash, user_id, points) VALUES ($1, $2, $3)' }
const REFUSED = { code: 'INVALID_ACTION_TOKEN', message: 'The action token is not valid.' }

export class Scores {
  constructor(databaseUrl, redisUrl) {
    this.pool = new pg.Pool({ connectionString: databaseUrl, max: 20 })
    this.redis = new Redis(redisUrl, { enableAutoPipelining: true })
    this.redis.defineCommand('countHit', { numberOfKeys: 1, lua: COUNT })
    this.redis.defineCommand('putScore', { numberOfKeys: 1, lua: PUT })
  }

  async issue(userId) {
    if ((await this.redis.countHit(`node:issue:${userId}`)) > PER_MINUTE) return REFUSED
    const actionToken = randomBytes(32).toString('base64url')
    await this.pool.query({ ...ISSUE, values: [hashOf(actionToken), userId, POINTS] })
    return { actionToken, scoreValue: POINTS, expiresAt: new Date(Date.now() + 300_000).toISOString() }
  }

  async submit(userId, actionToken) {
    if ((await this.redis.countHit(`node:submit:${userId}`)) > PER_MINUTE) return REFUSED
    const { rows } = await this.pool.query({ ...SUBMIT, values: [hashOf(actionToken), userId] })
    if (rows.length === 0) return REFUSED
    const [{ id, delta, score }] = rows
    const [before, after] = await this.redis.putScore(BOARD, userId, score, CHANNEL, SHOWN)
    return {
      transactionId: id,
      user: { id: userId, username: '' },
      previousScore: score - delta,
      newScore: score,
      scoreDelta: delta,
      previousRank: before === null ? null : before + 1,
      currentRank: after + 1,
    }
  }

  async standing(userId) {
    const [rank, score, totalUsers, username] = await Promise.all([
      this.redis.zrevrank(BOARD, userId),
      this.redis.zscore(BOARD, userId),
      this.redis.zcard(BOARD),
      this.redis.hget(NAMES, userId),
    ])
    const user = { id: userId, username: username ?? '' }
    return { id: `global/${userId}`, rank: rank === null ? null : rank + 1, score: Number(score ?? 0), totalUsers, user }
  }
}

function hashOf(actionToken) {
  return createHash('sha256').update(actionToken).digest()
}
