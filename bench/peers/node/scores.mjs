// Issue, submit and rank: one statement each in PostgreSQL, one script each in Redis.
//
// With EVERYTHING in the environment it promises a little more of what the service does: queries count against a limit
// as well, and a submission raises the boards of the day, the week and the month besides that of all time.

import { createHash, randomBytes } from 'node:crypto'
import Redis from 'ioredis'
import pg from 'pg'

const { PREFIX = 'node', EVERYTHING } = process.env

export const BOARD = `${PREFIX}:board`
export const NAMES = `${PREFIX}:names`
export const CHANNEL = `${PREFIX}:moved`

const POINTS = 50
const SHOWN = 10
const PER_MINUTE = 1_000_000

const COUNT = `
  local hits = redis.call('INCR', KEYS[1])
  if hits == 1 then redis.call('PEXPIRE', KEYS[1], 60000) end
  return hits`

// The first board is that of all time; on the others the points are added to what is there.
const PUT = `
  local before = redis.call('ZREVRANK', KEYS[1], ARGV[1])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
  for n = 2, #KEYS do redis.call('ZINCRBY', KEYS[n], ARGV[5], ARGV[1]) end
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
const SUBMIT_EVERYWHERE = {
  name: 'submit-everywhere',
  text: SUBMIT.text.replace(
    'INSERT INTO transactions',
    `, windows AS (
      INSERT INTO scores (user_id, period, starts_on, score)
      SELECT $2, w.period, w.starts_on, raised.points
      FROM raised, (VALUES
        ('DAILY', now()::date), ('WEEKLY', date_trunc('week', now())::date), ('MONTHLY', date_trunc('month', now())::date)
      ) AS w(period, starts_on)
      ON CONFLICT (user_id, period, starts_on) DO UPDATE SET score = scores.score + excluded.score
    )
    INSERT INTO transactions`,
  ),
}
const ISSUE = { name: 'issue', text: 'INSERT INTO action_tokens (token_hash, user_id, points) VALUES ($1, $2, $3)' }
const REFUSED = { code: 'INVALID_ACTION_TOKEN', message: 'The action token is not valid.' }

export class Scores {
  constructor(databaseUrl, redisUrl) {
    this.pool = new pg.Pool({ connectionString: databaseUrl, max: 20 })
    this.redis = new Redis(redisUrl, { enableAutoPipelining: true })
    this.redis.defineCommand('countHit', { numberOfKeys: 1, lua: COUNT })
    this.redis.defineCommand('putScore', { lua: PUT })
  }

  countsQueries = Boolean(EVERYTHING)

  async countQuery(userId) {
    if ((await this.redis.countHit(`${PREFIX}:query:${userId}`)) > PER_MINUTE) throw new Error('too many')
  }

  async issue(userId) {
    if ((await this.redis.countHit(`${PREFIX}:issue:${userId}`)) > PER_MINUTE) return REFUSED
    const actionToken = randomBytes(32).toString('base64url')
    await this.pool.query({ ...ISSUE, values: [hashOf(actionToken), userId, POINTS] })
    return { actionToken, scoreValue: POINTS, expiresAt: new Date(Date.now() + 300_000).toISOString() }
  }

  async submit(userId, actionToken) {
    if ((await this.redis.countHit(`${PREFIX}:submit:${userId}`)) > PER_MINUTE) return REFUSED
    const { rows } = await this.pool.query({ ...(EVERYTHING ? SUBMIT_EVERYWHERE : SUBMIT), values: [hashOf(actionToken), userId] })
    if (rows.length === 0) return REFUSED
    const [{ id, delta, score }] = rows
    const boards = EVERYTHING ? [BOARD, ...openBoards()] : [BOARD]
    const [before, after] = await this.redis.putScore(boards.length, ...boards, userId, score, CHANNEL, SHOWN, delta)
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

function openBoards() {
  const now = new Date()
  const monday = new Date(now - ((now.getUTCDay() + 6) % 7) * 86_400_000)
  const [today, week] = [now, monday].map((day) => day.toISOString().slice(0, 10))
  return [`${BOARD}:DAILY:${today}`, `${BOARD}:WEEKLY:${week}`, `${BOARD}:MONTHLY:${today.slice(0, 7)}`]
}

function hashOf(actionToken) {
  return createHash('sha256').update(actionToken).digest()
}
