const FIRST_MS = 500
const MAX_MS = 10_000

/**
 * Milliseconds to wait after `failures` failures in a row: growing, bounded, and random between half and all of it,
 * because after a restart all clients come back at once.
 */
export function backoff(failures: number, random: () => number = Math.random): number {
  return Math.min(MAX_MS, FIRST_MS * 2 ** failures) * (0.5 + random() / 2)
}

/** Milliseconds to wait when the service has asked for `seconds`: never less, and up to half a second more. */
export function notBefore(seconds: number, random: () => number = Math.random): number {
  return seconds * 1000 + random() * FIRST_MS
}

/** Wait. Rejects with the reason of `signal` as soon as it is aborted. */
export function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
