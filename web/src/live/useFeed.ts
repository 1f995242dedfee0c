import { useEffect, useState } from 'react'
import { useStore } from '../api/store'
import type { BoardFragment } from '../generated/graphql'
import { useClients } from '../page/clients'
import type { Connection } from './connection'
import { type Clients, Feed } from './feed'
import type { View } from './view'

export interface LiveBoard {
  /** The newest state that is known; null before the first. */
  board: BoardFragment | null
  /** Since when the board has been stale, in milliseconds since 1970; null while it is not. */
  staleSince: number | null
  connection: Connection
  retry: () => void
}

/** What a feed is for: with another view or token there is another feed. */
interface Source {
  clients: Clients
  view: View
  token: string | null
}

/** A view of a board, kept current for as long as the component shows it. `view` must be the same object for the same view. */
export function useFeed(view: View): LiveBoard {
  const clients = useClients()
  const identity = useStore(clients.session.identity)
  const token = identity.state === 'signed-in' ? identity.token : null
  const wanted: Source = { clients, view, token }

  // It changes with its source, so that the feed of another view is never shown.
  const [opened, setOpened] = useState(() => ({ source: wanted, feed: new Feed(clients, view, null) }))
  let feed = opened.feed
  if (!isSame(opened.source, wanted)) {
    feed = new Feed(clients, view, opened.source.view === view ? opened.feed : null)
    setOpened({ source: wanted, feed })
  }

  useEffect(() => {
    feed.open()
    return () => feed.close()
  }, [feed])

  return {
    board: useStore(feed.board),
    staleSince: useStore(feed.staleSince),
    connection: useStore(feed.connection),
    retry: feed.retry,
  }
}

function isSame(one: Source, other: Source): boolean {
  return one.clients === other.clients && one.view === other.view && one.token === other.token
}
