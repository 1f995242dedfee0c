import type { BoardFragment } from '../generated/graphql'
import type { Connection } from '../live/connection'
import styles from './Badge.module.css'
import { useNow } from './clock'
import { spanOf, timeOf } from '../format/time'

interface Props {
  connection: Connection
  board: BoardFragment | null
  staleSince: number | null
  onRetry: () => void
}

interface Look {
  tone: 'good' | 'busy' | 'bad'
  text: string
  more?: string
}

const WAYS = { socket: 'over a WebSocket', stream: 'over server-sent events', polling: 'asking every 3 seconds' }

function lookOf(connection: Connection, staleSince: number | null, now: number): Look {
  switch (connection.state) {
    case 'connecting':
      return { tone: 'busy', text: 'Connecting' }
    case 'live':
      if (staleSince !== null) {
        return { tone: 'bad', text: `Stale since ${timeOf(staleSince)}`, more: 'The stores behind the board are away' }
      }
      if (connection.by === 'polling') return { tone: 'busy', text: 'Polling', more: WAYS.polling }
      return { tone: 'good', text: 'Live', more: WAYS[connection.by] }
    case 'reconnecting':
      return { tone: 'busy', text: `Reconnecting · ${spanOf(now - connection.since)}` }
    case 'offline':
      return { tone: 'bad', text: `Offline since ${timeOf(connection.since)}` }
    case 'waiting':
      return { tone: 'busy', text: `Too many requests · ${spanOf(connection.until - now)}` }
    case 'displaced':
      return { tone: 'bad', text: 'Paused: open elsewhere' }
    case 'refused':
      return { tone: 'bad', text: 'Not available' }
  }
}

const ANNOUNCED: Record<Connection['state'], string> = {
  connecting: 'connecting',
  live: 'live',
  reconnecting: 'reconnecting',
  offline: 'offline',
  waiting: 'too many requests, waiting',
  displaced: 'paused, because the board is open elsewhere',
  refused: 'not available',
}

/** How current the board is, at a glance. */
export function Badge({ connection, board, staleSince, onRetry }: Props) {
  const isTicking = connection.state === 'reconnecting' || connection.state === 'waiting'
  const { tone, text, more } = lookOf(connection, staleSince, useNow(1000, isTicking))
  const isStuck = connection.state === 'displaced' || connection.state === 'refused'
  return (
    <span className={styles.badge} data-tone={tone} data-state={connection.state} title={more}>
      {/* It beats once for every message: a wall screen that waits for news has nothing to draw. */}
      <span className={styles.dot} key={board?.version} aria-hidden="true" />
      {/* A screen reader is told of a new state once, not of every second that passes in it. */}
      <span className="visually-hidden" role="status">
        {`Connection: ${ANNOUNCED[connection.state]}`}
      </span>
      <span className={styles.text} aria-hidden="true">
        {text}
      </span>
      {isStuck && (
        <button type="button" className={styles.retry} onClick={onRetry}>
          Resume
        </button>
      )}
    </span>
  )
}
