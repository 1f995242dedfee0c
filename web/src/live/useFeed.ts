import { useEffect, useRef, useState } from 'react'
import { Store, useStore } from '../api/store'
import type { BoardFragment } from '../generated/graphql'
import { useClients } from '../page/clients'
import type { Connection } from './connection'
import { Feed } from './feed'
import type { View } from './view'

const NOT_YET = {
  board: new Store<BoardFragment | null>(null),
  connection: new Store<Connection>({ state: 'connecting' }),
}

export interface LiveBoard {
  /** The newest state that is known; null before the first. */
  board: BoardFragment | null
  connection: Connection
  retry: () => void
}

/** A view of a board, kept current for as long as the component shows it. `view` must be the same object for the same view. */
export function useFeed(view: View): LiveBoard {
  const clients = useClients()
  const identity = useStore(clients.session.identity)
  const token = identity.state === 'signed-in' ? identity.token : null
  const [opened, setOpened] = useState<{ feed: Feed; view: View } | null>(null)

  useEffect(() => {
    const feed = new Feed(clients, view)
    feed.open()
    setOpened({ feed, view })
    return () => feed.close()
    // Another token means another socket, hence another feed.
  }, [clients, view, token])

  // Until the effect has run, the old feed must not pass for the new view.
  const feed = opened?.view === view ? opened.feed : NOT_YET
  const connection = useStore(feed.connection)
  const newest = useStore(feed.board)
  // A new feed of the same view, after a change of token, goes on from what is shown.
  const shown = useRef<{ view: View; board: BoardFragment } | null>(null)
  if (newest !== null) shown.current = { view, board: newest }
  const board = newest ?? (shown.current?.view === view ? shown.current.board : null)
  return { board, connection, retry: () => opened?.feed.retry() }
}
