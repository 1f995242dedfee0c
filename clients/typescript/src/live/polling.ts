import { LeaderboardError, NETWORK } from '../requests/failure.js'
import type { Transport } from './transport.js'

const INTERVAL_MS = 3_000
const FIRST_VALUE_MS = 12_000

/** Read the value again and again, for where nothing may stay open. Nothing is read while the page is hidden. */
export function pollingTransport<T>(read: (token: string | null, signal: AbortSignal) => Promise<T>): Transport<T> {
  return {
    name: 'polling',
    timeout: FIRST_VALUE_MS,
    open(sink, token) {
      const abort = new AbortController()
      let timer: ReturnType<typeof setTimeout> | undefined
      const poll = async (): Promise<void> => {
        try {
          if (!isHidden()) sink.next(await read(token, abort.signal))
        } catch (error) {
          sink.lost(error instanceof LeaderboardError ? error.failure : NETWORK, token)
          return
        }
        if (!abort.signal.aborted) timer = setTimeout(poll, INTERVAL_MS * (0.8 + Math.random() * 0.4))
      }
      void poll()
      return () => {
        abort.abort()
        clearTimeout(timer)
      }
    },
  }
}

function isHidden(): boolean {
  return typeof document !== 'undefined' && document.visibilityState === 'hidden'
}
