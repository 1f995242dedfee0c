import { useQuery } from '@apollo/client/react'
import { useEffect } from 'react'
import { Announcer } from '../board/Announcer'
import { Board } from '../board/Board'
import { Empty } from '../board/Empty'
import { Skeleton } from '../board/Skeleton'
import { type BoardFragment, type Period, ReadCategoriesDocument } from '../generated/graphql'
import type { Connection } from '../live/connection'
import { Countdown } from './Countdown'
import { Notice, ProblemText } from './Notice'
import { numberOf } from '../format/number'
import { PERIODS, type BoardRoute } from '../routing/boardRoute'
import styles from './BoardPanel.module.css'
import { Tabs } from './Tabs'

const LABELS: Record<Period, string> = {
  ALL_TIME: 'All time',
  DAILY: 'Today',
  WEEKLY: 'This week',
  MONTHLY: 'This month',
}

interface Props {
  route: BoardRoute
  onGo: (change: Partial<BoardRoute>) => void
  board: BoardFragment | null
  connection: Connection
  onRetry: () => void
  youId: string | null
  canPlay: boolean
}

/** The board with its title and its tabs. */
export function BoardPanel({ route, onGo, board, connection, onRetry, youId, canPlay }: Props) {
  const { data } = useQuery(ReadCategoriesDocument)
  const categories = (data?.categories ?? []).filter((category) => category.enabled)
  const category = categories.find((one) => one.id === route.category)
  const isUnknown =
    connection.state === 'refused' &&
    connection.problem.kind === 'refused' &&
    connection.problem.code === 'CATEGORY_NOT_FOUND'
  const title = isUnknown ? 'Unknown category' : (category?.name ?? board?.category.name ?? 'Leaderboard')
  const periods = PERIODS.filter((period) => category?.periods.includes(period) ?? true)
  const isBehind = connection.state !== 'live' && connection.state !== 'connecting'

  useEffect(() => {
    document.title = `${title}, ${LABELS[route.period]} · Leaderboard`
  }, [title, route.period])

  return (
    <section className={styles.panelRoot} data-wall={route.wall || undefined} aria-labelledby="title">
      <div className={styles.head}>
        <div className={styles.titles}>
          <h1 id="title">{title}</h1>
          <p className={styles.players}>{board === null ? '\u00a0' : playersOf(board.totalUsers)}</p>
        </div>
        {board?.endsAt != null && <Countdown endsAt={board.endsAt} />}
      </div>
      <div className={styles.tabs}>
        <Tabs
          label="Period"
          look="underlined"
          tabs={periods.map((key) => ({ key, label: LABELS[key] }))}
          selected={route.period}
          controls="board"
          onSelect={(period) => onGo({ period })}
        />
        {categories.length > 1 && (
          <Tabs
            label="Category"
            tabs={categories.map(({ id, name }) => ({ key: id, label: name }))}
            selected={route.category}
            controls="board"
            onSelect={(id) => onGo({ category: id })}
          />
        )}
      </div>
      <div id="board" role="tabpanel" aria-label={`${title}, ${LABELS[route.period]}`} className={styles.panel}>
        {connection.state === 'refused' && (
          <Notice
            tone="bad"
            action={
              isUnknown
                ? { label: 'Show the global board', onClick: () => onGo({ category: 'global' }) }
                : { label: 'Try again', onClick: onRetry }
            }
          >
            <ProblemText problem={connection.problem} at={connection.at} />
          </Notice>
        )}
        {connection.state === 'displaced' && (
          <Notice tone="bad" action={{ label: 'Watch here', onClick: onRetry }}>
            You are watching in too many windows, so this one is paused.
          </Notice>
        )}
        {board === null && connection.state !== 'refused' && <Skeleton />}
        {board !== null && board.entries.length === 0 && <Empty canPlay={canPlay} />}
        {board !== null && board.entries.length > 0 && (
          <Board
            key={board.id}
            board={board}
            caption={`${title}, ${LABELS[route.period]}`}
            youId={youId}
            isBehind={isBehind || board.stale}
          />
        )}
        {board !== null && <Announcer key={`said ${board.id}`} board={board} youId={youId} />}
      </div>
    </section>
  )
}

function playersOf(total: number): string {
  return total === 1 ? '1 player' : `${numberOf(total)} players`
}
