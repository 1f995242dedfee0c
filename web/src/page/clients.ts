import { createContext, useContext } from 'react'
import { createApollo } from '../api/client'
import type { Clients } from '../live/feed'
import { createSocket } from '../live/socket'
import { Session } from '../session/session'

/** Everything long-lived of the page. */
export function createClients(): Clients {
  const session = new Session()
  const apollo = createApollo(session.authorization)
  const socket = createSocket(session.authorization)
  // A socket is authenticated once, and the cached `me` belongs to one subject: a new sign-in replaces both.
  let subject: string | null = null
  session.identity.subscribe(() => {
    socket.terminate()
    const identity = session.identity.get()
    const next = identity.state === 'signed-in' ? identity.subject : null
    if (next !== subject) apollo.cache.evict({ fieldName: 'me' })
    subject = next
  })
  return { apollo, socket, session }
}

const ClientsContext = createContext<Clients | null>(null)

export const ClientsProvider = ClientsContext.Provider

export function useClients(): Clients {
  const clients = useContext(ClientsContext)
  if (clients === null) throw new Error('outside of ClientsProvider')
  return clients
}
