import { useEffect, useRef, useState } from 'react'

/** The time in milliseconds, renewed at every full second of the clock (or every `step` milliseconds). */
export function useNow(step = 1000, isRunning = true): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!isRunning) return
    let timer: ReturnType<typeof setTimeout>
    const tick = () => {
      setNow(Date.now())
      timer = setTimeout(tick, step - (Date.now() % step))
    }
    tick()
    return () => clearTimeout(timer)
  }, [step, isRunning])
  return now
}

/** Since when something has been so, in milliseconds since 1970; null while it is not. */
export function useSince(isSo: boolean): number | null {
  const since = useRef<number | null>(null)
  if (!isSo) since.current = null
  else since.current ??= Date.now()
  return since.current
}
