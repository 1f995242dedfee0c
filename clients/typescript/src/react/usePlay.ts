import { useCallback, useRef, useState } from 'react'
import { type Perform, play, type PlayResult } from '../actions/play.js'
import type { ActionRequest } from '../actions/submit.js'
import { type Failure, LeaderboardError } from '../requests/failure.js'
import { useLeaderboardClient } from './context.js'

/** How far the last action has come. */
export type PlayState =
  { outcome: 'none' } | { outcome: 'playing' } | PlayResult | { outcome: 'failed'; failure: Failure }

export interface PlayControls {
  state: PlayState
  /**
   * Play an action as `play` does. It resolves with the last state; only what `perform` throws is thrown. It goes on when
   * the component is unmounted, so that no points are lost.
   */
  play: (action: ActionRequest, perform?: Perform) => Promise<PlayState>
}

/** Play actions, and show what became of the last one. */
export function usePlay(): PlayControls {
  const client = useLeaderboardClient()
  const [state, setState] = useState<PlayState>({ outcome: 'none' })
  const latest = useRef(0)

  const run = useCallback(
    async (action: ActionRequest, perform?: Perform): Promise<PlayState> => {
      const number = ++latest.current
      const show = (next: PlayState): PlayState => {
        if (number === latest.current) setState(next)
        return next
      }
      show({ outcome: 'playing' })
      try {
        return show(await play(client, action, perform))
      } catch (error) {
        if (error instanceof LeaderboardError) return show({ outcome: 'failed', failure: error.failure })
        show({ outcome: 'none' })
        throw error
      }
    },
    [client],
  )
  return { state, play: run }
}
