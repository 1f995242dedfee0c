import { useEffect } from 'react'

/** While the page hangs on a wall, the screen stays on. A browser that cannot promise it is left alone. */
export function useWall(isWall: boolean): void {
  useEffect(() => {
    if (!isWall || !('wakeLock' in navigator)) return
    let lock: WakeLockSentinel | null = null
    let isOver = false
    // The lock is lost whenever the page is hidden.
    const take = async () => {
      if (document.visibilityState !== 'visible') return
      lock = await navigator.wakeLock.request('screen').catch(() => null)
      if (isOver) void lock?.release()
    }
    void take()
    document.addEventListener('visibilitychange', take)
    return () => {
      isOver = true
      document.removeEventListener('visibilitychange', take)
      void lock?.release()
    }
  }, [isWall])
}

/** Fills the screen, or gives it back. Only what a visitor has clicked may do so. */
export function fillScreen(fill: boolean): void {
  if (fill) document.documentElement.requestFullscreen?.().catch(() => {})
  else if (document.fullscreenElement !== null) void document.exitFullscreen()
}
