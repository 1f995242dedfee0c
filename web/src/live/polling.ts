import { problemOf } from '../api/problem'
import type { Transport } from './transport'

const EVERY = 3_000

/** Asking again and again, for where nothing may stay open. `read` is cheap while nothing changes: it has an ETag. */
export function pollingTransport<T>(read: () => Promise<T>): Transport<T> {
  return {
    name: 'polling',
    timeout: 8_000,
    open(sink) {
      let timer: ReturnType<typeof setTimeout> | undefined
      let isOpen = true
      const poll = async (): Promise<void> => {
        try {
          if (document.visibilityState === 'visible') sink.next(await read())
        } catch (error) {
          sink.lost(problemOf(error))
          return
        }
        if (isOpen) timer = setTimeout(() => void poll(), EVERY)
      }
      void poll()
      return () => {
        isOpen = false
        clearTimeout(timer)
      }
    },
  }
}
