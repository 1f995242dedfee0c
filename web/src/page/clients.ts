import { createContext, useContext } from 'react'
import { createApollo } from '../api/client'
import type { Lines } from '../live/feed'
import { createSocket } from '../live/socket'
import { Session } from '../session/session'

/** Everything long-lived of the page. */
export function openLines(): Lines {
  const session = new Session()
  const apollo = createApollo(session.authorization)
  const socket = createSocket(session.authorization)
  // A socket speaks for whoever opened it, and so do answers in the cache.
  let name: string | null = null
  session.identity.subscribe(() => {
    socket.terminate()
    const identity = session.identity.get()
    const next = identity.state === 'signed-in' ? identity.username : null
    if (next !== name) apollo.cache.evict({ fieldName: 'me' })
    name = next
  })
  return { apollo, socket, session }
}

const LinesContext = createContext<Lines | null>(null)

export const LinesProvider = LinesContext.Provider

export function useLines(): Lines {
  const lines = useContext(LinesContext)
  if (lines === null) throw new Error('outside of LinesProvider')
  return lines
}
