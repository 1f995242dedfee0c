import type { BoardFragment, Period } from '../generated/graphql'
import styles from './Board.module.css'
import { Row } from './Row'

interface Props {
  board: BoardFragment
  caption: string
  youId: string | null
  /** Whether what is shown may be behind. */
  isBehind: boolean
}

const SINCE: Record<Period, string> = {
  ALL_TIME: 'since yesterday',
  DAILY: 'since yesterday',
  WEEKLY: 'since last week',
  MONTHLY: 'since last month',
}

/** The top of a board, as a table. */
export function Board({ board, caption, youId, isBehind }: Props) {
  const scores = board.entries.map((entry) => entry.score)
  const most = Math.max(1, ...scores)
  const least = Math.min(...scores)
  // Where the lowest leads, the shortest bar would say the opposite.
  const isRising = scores.length > 1 && scores[0] === least && least !== most
  return (
    <table role="table" className={styles.board} data-behind={isBehind || undefined} aria-label={caption}>
      <thead role="rowgroup" className="visually-hidden">
        <tr role="row">
          <th role="columnheader" scope="col">
            Rank
          </th>
          <th role="columnheader" scope="col">
            Player
          </th>
          <th role="columnheader" scope="col">
            Moved
          </th>
          <th role="columnheader" scope="col">
            Score
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup" className={styles.rows}>
        {board.entries.map((entry, place) => (
          <Row
            key={entry.id}
            entry={entry}
            since={SINCE[board.period]}
            place={place}
            share={isRising ? least / Math.max(1, entry.score) : entry.score / most}
            isYou={entry.user.id === youId}
            format={board.category.scoreFormat}
          />
        ))}
      </tbody>
    </table>
  )
}
