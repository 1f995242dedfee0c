import { useEffect, useState } from 'react'
import type { Period } from '../generated/graphql'

export const PERIODS: readonly Period[] = ['ALL_TIME', 'DAILY', 'WEEKLY', 'MONTHLY']

/** What the address of the page says: which board, and whether it hangs on a wall. */
export interface Place {
  category: string
  period: Period
  wall: boolean
}

function read(): Place {
  const query = new URLSearchParams(location.search)
  const period = query.get('period')?.toUpperCase().replace('-', '_')
  return {
    category: query.get('category') ?? 'global',
    period: PERIODS.find((one) => one === period) ?? 'ALL_TIME',
    wall: query.has('wall'),
  }
}

function write({ category, period, wall }: Place): string {
  const query = new URLSearchParams()
  if (category !== 'global') query.set('category', category)
  if (period !== 'ALL_TIME') query.set('period', period.toLowerCase().replace('_', '-'))
  if (wall) query.set('wall', '')
  const text = query.toString().replace(/wall=(?=$|&)/, 'wall')
  return text === '' ? location.pathname : `?${text}`
}

/** Where the visitor is, and how to go elsewhere. Every place has an address, and the back button works. */
export function usePlace(): [Place, (change: Partial<Place>) => void] {
  const [place, setPlace] = useState(read)
  useEffect(() => {
    const back = () => setPlace(read())
    addEventListener('popstate', back)
    return () => removeEventListener('popstate', back)
  }, [])
  const go = (change: Partial<Place>) => {
    const next = { ...place, ...change }
    history.pushState(null, '', write(next))
    setPlace(next)
  }
  return [place, go]
}
