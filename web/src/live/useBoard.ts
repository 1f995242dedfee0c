import { useQuery } from '@apollo/client/react'
import { useEffect, useState } from 'react'
import { Store, useStore } from '../api/store'
import { ReadBoardDocument, type BoardFragment, type Period } from '../generated/graphql'
import { useLines } from '../page/lines'
import { BoardFeed } from './boardFeed'
import type { Connection } from './connection'

export const SIZE = 10

const NOT_YET = new Store<Connection>({ state: 'connecting' })

export interface LiveBoard {
  /** The newest board that is known, from an earlier visit if need be; null before the first. */
  board: BoardFragment | null
  connection: Connection
  retry: () => void
}

/** One board, kept current for as long as the component shows it. */
export function useBoard(category: string, period: Period): LiveBoard {
  const lines = useLines()
  const identity = useStore(lines.session.identity)
  const token = identity.state === 'signed-in' ? identity.token : null
  const [feed, setFeed] = useState<BoardFeed | null>(null)

  useEffect(() => {
    const opened = new BoardFeed(lines, { category, period, limit: SIZE })
    opened.open()
    setFeed(opened)
    return () => opened.close()
    // Another token means another socket, hence another feed.
  }, [lines, category, period, token])

  const connection = useStore((feed ?? { connection: NOT_YET }).connection)
  const { data, dataState } = useQuery(ReadBoardDocument, {
    variables: { category, period, limit: SIZE },
    fetchPolicy: 'cache-only',
  })
  const board = dataState === 'complete' ? data.leaderboard : null
  return { board, connection, retry: () => feed?.retry() }
}
