import { createContext, createElement, type FunctionComponent, type ReactNode, useContext } from 'react'
import type { LeaderboardClient } from '../client.js'

const ClientContext = createContext<LeaderboardClient | null>(null)

/** Makes a client available to the hooks in `children`. */
export const LeaderboardProvider: FunctionComponent<{ client: LeaderboardClient; children?: ReactNode }> = ({
  client,
  children,
}) => createElement(ClientContext.Provider, { value: client }, children)

/** Return the client of the nearest `LeaderboardProvider`. */
export function useLeaderboardClient(): LeaderboardClient {
  const client = useContext(ClientContext)
  if (client === null) throw new Error('Hooks of leaderboard-client must be used inside of LeaderboardProvider.')
  return client
}
