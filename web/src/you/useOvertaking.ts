import { useEffect, useRef, useState } from 'react'
import type { BoardFragment } from '../generated/graphql'

/** For how long it is news, in milliseconds. */
const NEWS = 8_000

/** Who has just passed whom, seen from a user among their neighbours; empty when nobody has. */
export function useOvertaking(board: BoardFragment | null, userId: string): string {
  const before = useRef<BoardFragment | null>(null)
  const [text, setText] = useState('')

  useEffect(() => {
    const news = newsOf(before.current, board, userId)
    before.current = board
    if (news !== null) setText(news)
  }, [board, userId])

  useEffect(() => {
    const timer = setTimeout(() => setText(''), NEWS)
    return () => clearTimeout(timer)
  }, [text])

  return text
}

function newsOf(before: BoardFragment | null, after: BoardFragment | null, userId: string): string | null {
  const ranks = new Map(before?.entries.map((entry) => [entry.user.id, entry.rank]))
  const was = ranks.get(userId)
  const own = after?.entries.find((entry) => entry.user.id === userId)
  if (was === undefined || own === undefined || was === own.rank || before?.endsAt !== after?.endsAt) return null
  const passed = after?.entries.filter((entry) => {
    const rank = ranks.get(entry.user.id)
    return rank !== undefined && Math.sign(rank - was) !== Math.sign(entry.rank - own.rank)
  })
  const names =
    passed
      ?.map((entry) => entry.user.username)
      .filter((_, index) => index < 2)
      .join(' and ') ?? ''
  if (names === '') return null
  return own.rank < was ? `You passed ${names}.` : `${names} passed you.`
}
