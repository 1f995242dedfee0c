import { useEffect } from 'react'

/** Call `refetch` once the clock has passed `endsAt`, until the next board has another `endsAt`. */
export function useRefetchAfter(endsAt: string | null | undefined, refetch: () => unknown): void {
  useEffect(() => {
    if (!endsAt) return
    const timer = setInterval(() => {
      if (Date.now() >= Date.parse(endsAt)) void refetch()
    }, 1000)
    return () => clearInterval(timer)
  }, [endsAt, refetch])
}
