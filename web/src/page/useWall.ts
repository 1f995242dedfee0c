import { useEffect, useLayoutEffect } from 'react'

/** While the page hangs on a wall it measures itself by the screen, which stays on where the browser can promise it. */
export function useWall(isWall: boolean): void {
  useLayoutEffect(() => {
    document.documentElement.toggleAttribute('data-wall', isWall)
  }, [isWall])

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
    const onVisibilityChange = () => void take()
    void take()
    document.addEventListener('visibilitychange', onVisibilityChange)
    return () => {
      isOver = true
      document.removeEventListener('visibilitychange', onVisibilityChange)
      void lock?.release()
    }
  }, [isWall])
}

/** Fills the screen, or gives it back. Only what a visitor has clicked may do so. */
export function fillScreen(fill: boolean): void {
  if (fill) {
    if (document.fullscreenEnabled) void document.documentElement.requestFullscreen().catch(() => {})
  } else if (document.fullscreenElement !== null) void document.exitFullscreen()
}
