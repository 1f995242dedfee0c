export interface DeviceListeners {
  online(): void
  offline(): void
  /** The page is visible again, after it was hidden. */
  visible(): void
}

type EventSource = Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>

/** Call `listeners` until the returned function is called. Nothing is ever called outside of browsers. */
export function onDeviceChange(listeners: DeviceListeners): () => void {
  const scope: EventSource = globalThis
  const page: EventSource & { visibilityState?: string } = typeof document === 'undefined' ? {} : document
  const onVisibility = () => {
    if (page.visibilityState === 'visible') listeners.visible()
  }
  scope.addEventListener?.('online', listeners.online)
  scope.addEventListener?.('offline', listeners.offline)
  page.addEventListener?.('visibilitychange', onVisibility)
  return () => {
    scope.removeEventListener?.('online', listeners.online)
    scope.removeEventListener?.('offline', listeners.offline)
    page.removeEventListener?.('visibilitychange', onVisibility)
  }
}

/** Whether the device knows that it has no network. */
export function isOffline(): boolean {
  return typeof navigator !== 'undefined' && navigator.onLine === false
}
