import { useEffect, useRef, useState } from 'react'
import type { BoardFragment } from '../generated/graphql'
import { scoreText } from '../format/score'

/** The shortest time between two announcements, in milliseconds. */
const QUIET = 15_000
/** How long the board must be calm at the top before it is said. */
const SETTLE = 2_000

interface Props {
  board: BoardFragment
  youId: string | null
}

/**
 * Tells a screen reader what matters, when it matters: a new leader, and where you stand. Not every point, not a
 * glimpse that is over before it could be spoken, and never more often than every 15 seconds.
 */
export function Announcer({ board, youId }: Props) {
  const leader = board.entries[0]
  const you = board.entries.find((entry) => entry.user.id === youId)
  const matter = `${leader?.user.id} ${you?.rank}`
  const [said, setSaid] = useState('')
  const known = useRef({ matter, at: 0 })
  // The sentence is made when it is said: a score that changes meanwhile neither puts it off nor makes it wrong.
  const sentence = useRef('')
  useEffect(() => {
    const format = board.category.scoreFormat
    const noun = format.kind === 'INTEGER' && !format.unit ? ' points' : ''
    const first =
      leader === undefined ? '' : `${leader.user.username} leads with ${scoreText(format, leader.score)}${noun}.`
    sentence.current = you === undefined ? first : `${first} You are number ${you.rank}.`
  })

  useEffect(() => {
    if (matter === known.current.matter) return
    const wait = Math.max(SETTLE, known.current.at + QUIET - Date.now())
    const timer = setTimeout(() => {
      known.current = { matter, at: Date.now() }
      setSaid(sentence.current)
    }, wait)
    return () => clearTimeout(timer)
  }, [matter])

  return (
    <p className="visually-hidden" role="status" aria-live="polite">
      {said}
    </p>
  )
}
