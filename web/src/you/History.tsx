import { useQuery } from '@apollo/client/react'
import { useState } from 'react'
import { ReadHistoryDocument } from '../generated/graphql'
import { changeText, type Format } from '../format/score'
import styles from './History.module.css'
import { Sparkline } from './Sparkline'

const DAYS = 14
const DAY = 86_400_000

interface Props {
  userId: string
  category: string
  format: Format
  /** The all-time score now, if it is at hand: the end of the line moves with it. */
  score: number | null
}

/** How the score came about over the last fortnight. Without an answer there is simply no picture. */
export function History({ userId, category, format, score }: Props) {
  const [stretch] = useState(() => {
    const now = Date.now()
    return { from: new Date(now - (DAYS - 1) * DAY).toISOString(), to: new Date(now + 1000).toISOString() }
  })
  const { data } = useQuery(ReadHistoryDocument, { variables: { userId, category, ...stretch } })
  if (data === undefined || data.scoreHistory.points.length < 2) return null

  const scores = data.scoreHistory.points.map((point) => point.score)
  const last = scores.length - 1
  if (score !== null) scores[last] = score
  const gained = (scores[last] ?? 0) - (scores[0] ?? 0) + (data.scoreHistory.points[0]?.gained ?? 0)
  return (
    <figure className={styles.history}>
      <Sparkline values={scores} />
      <figcaption>
        <span>Last {DAYS} days, all time points</span>
        <strong>{changeText(format, gained)}</strong>
      </figcaption>
    </figure>
  )
}
