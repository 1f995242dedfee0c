import { useEffect, useLayoutEffect, useRef, useState } from 'react'

/** What has just happened to a line of the board. */
export interface Movement {
  /** Counts the movements, so that each of them starts its animations anew. */
  serial: number
  /** Places won (positive) or lost. */
  places: number
  gain: number
}

/** For how long it is shown, in milliseconds: long enough for somebody who looked up because something moved. */
const SHOWN = 7_000

const NONE: Movement = { serial: 0, places: 0, gain: 0 }

/** The latest change of rank and score, seen from one rendering to the next. */
export function useMovement(rank: number, score: number): Movement {
  const last = useRef({ rank, score })
  const [movement, setMovement] = useState(NONE)

  // Before the paint: the gain appears in the same frame as the score.
  useLayoutEffect(() => {
    const places = last.current.rank - rank
    const gain = score - last.current.score
    last.current = { rank, score }
    if (places === 0 && gain === 0) return
    setMovement((before) => ({ serial: before.serial + 1, places, gain }))
  }, [rank, score])

  useEffect(() => {
    if (movement.places === 0 && movement.gain === 0) return
    const timer = setTimeout(() => setMovement(({ serial }) => ({ ...NONE, serial })), SHOWN)
    return () => clearTimeout(timer)
  }, [movement])

  return movement
}
