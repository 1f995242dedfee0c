import { useEffect, useState } from 'react'

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
