import { useMemo } from 'react'
import { Board } from '../board/Board'
import type { Period } from '../generated/graphql'
import { useFeed } from '../live/useFeed'
import { aroundView } from '../live/view'
import { numberOf } from '../format/number'
import { scoreText } from '../format/score'
import { History } from './History'
import { useOvertaking } from './useOvertaking'
import styles from './You.module.css'

const RADIUS = 2

interface Props {
  userId: string
  category: string
  period: Period
}

/** Where you stand, among your neighbours. */
export function You({ userId, category, period }: Props) {
  const view = useMemo(() => aroundView(category, period, userId, RADIUS), [category, period, userId])
  const { board, connection } = useFeed(view)
  const overtaking = useOvertaking(board, userId)
  const own = board?.entries.find((entry) => entry.user.id === userId)
  const isBehind = connection.state !== 'live' && connection.state !== 'connecting'

  return (
    <section className="card" aria-labelledby="you">
      <h2 id="you">You</h2>
      {board !== null && own === undefined && <p className={styles.hint}>No points here yet.</p>}
      {board !== null && own !== undefined && (
        <>
          <dl className={styles.summary}>
            <div>
              <dt>Rank</dt>
              <dd>{numberOf(own.rank)}</dd>
            </div>
            <div>
              <dt>Points</dt>
              <dd>{scoreText(board.category.scoreFormat, own.score)}</dd>
            </div>
            <div>
              <dt>Ahead of</dt>
              <dd>{board.totalUsers > 1 ? `${aheadOf(own.rank, board.totalUsers)} %` : '–'}</dd>
            </div>
          </dl>
          <p className={styles.overtaking} role="status">
            {overtaking}
          </p>
          <div className={`${styles.around} narrow`}>
            <Board key={board.id} board={board} caption="You and your neighbours" youId={userId} isBehind={isBehind} />
          </div>
          <History
            userId={userId}
            category={category}
            format={board.category.scoreFormat}
            score={period === 'ALL_TIME' ? own.score : null}
          />
        </>
      )}
    </section>
  )
}

/** The share of the other players who are behind, in whole percent. */
function aheadOf(rank: number, total: number): number {
  return Math.floor((100 * (total - rank)) / (total - 1))
}
