import { useEffect, useState } from 'react'
import type { Period } from '../generated/graphql'

export const PERIODS: readonly Period[] = ['ALL_TIME', 'DAILY', 'WEEKLY', 'MONTHLY']

/** What the address of the page says: which board, and whether it hangs on a wall. */
export interface BoardRoute {
  category: string
  period: Period
  wall: boolean
}

function read(): BoardRoute {
  const query = new URLSearchParams(location.search)
  const period = query.get('period')?.toUpperCase().replace('-', '_')
  return {
    category: query.get('category') ?? 'global',
    period: PERIODS.find((one) => one === period) ?? 'ALL_TIME',
    wall: query.has('wall'),
  }
}

function write({ category, period, wall }: BoardRoute): string {
  const query = new URLSearchParams()
  if (category !== 'global') query.set('category', category)
  if (period !== 'ALL_TIME') query.set('period', period.toLowerCase().replace('_', '-'))
  if (wall) query.set('wall', '')
  const text = query.toString().replace(/wall=(?=$|&)/, 'wall')
  return text === '' ? location.pathname : `?${text}`
}

/** Where the visitor is, and how to go elsewhere. Every route has an address, and the back button works. */
export function useBoardRoute(): [BoardRoute, (change: Partial<BoardRoute>) => void] {
  const [route, setRoute] = useState(read)
  useEffect(() => {
    const back = () => setRoute(read())
    addEventListener('popstate', back)
    return () => removeEventListener('popstate', back)
  }, [])
  const go = (change: Partial<BoardRoute>) => {
    const next = { ...route, ...change }
    history.pushState(null, '', write(next))
    setRoute(next)
  }
  return [route, go]
}
