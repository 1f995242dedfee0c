import { useCallback, useEffect, useState, useSyncExternalStore } from 'react'
import type { LeaderboardClient } from '../client.js'
import type { Connection } from '../live/connection.js'
import type { Watch, WatchState } from '../live/watch.js'
import { useLeaderboardClient } from './context.js'

const NOTHING_YET: WatchState<never> = { value: null, connection: { state: 'connecting' } }
const subscribeToNothing = () => () => {}

export interface Watched<T> {
  /** Null before the first value. It stays when the connection is lost. */
  value: T | null
  connection: Connection
  reconnect: () => void
}

/**
 * Watch something for as long as the component is mounted. It is watched anew when the client changes or `view` has
 * other contents; `view` must be JSON.
 */
export function useWatch<T, View>(view: View, open: (client: LeaderboardClient, view: View) => Watch<T>): Watched<T> {
  const client = useLeaderboardClient()
  const key = JSON.stringify(view)
  const [opened, setOpened] = useState<{ client: LeaderboardClient; key: string; watch: Watch<T> } | null>(null)

  useEffect(() => {
    const watch = open(client, JSON.parse(key) as View)
    setOpened({ client, key, watch })
    return () => watch.close()
  }, [client, key, open])

  // Before the effect has run, what was watched before must not be taken for the new view.
  const watch = opened?.key === key && opened.client === client ? opened.watch : null
  const state = useCallback(() => watch?.state ?? NOTHING_YET, [watch])
  const { value, connection } = useSyncExternalStore<WatchState<T>>(
    watch?.subscribe ?? subscribeToNothing,
    state,
    () => NOTHING_YET,
  )
  const reconnect = useCallback(() => watch?.reconnect(), [watch])
  return { value, connection, reconnect }
}
