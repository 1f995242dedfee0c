import type { EntryFragment } from '../generated/graphql'
import { changeText, type Format, scoreText } from '../format/score'
import { Avatar } from './Avatar'
import styles from './Row.module.css'
import { useGlide } from './useGlide'
import { useMovement } from './useMovement'

/** An entry; while the board is live, with the places won or lost since the last day, week or month. */
export type LiveEntry = EntryFragment & { movement?: number | null }

interface Props {
  entry: LiveEntry
  /** Since when the movement of the entry is counted. */
  since: string
  /** Position among the rows shown, from 0. */
  place: number
  /** Of the score of the leader, 0 to 1. */
  share: number
  isYou: boolean
  format: Format
}

/** One line of the board. The explicit roles keep the table a table although CSS lays it out as a grid. */
export function Row({ entry, since, place, share, isYou, format }: Props) {
  const row = useGlide<HTMLTableRowElement>(place)
  const { serial, places, gain } = useMovement(entry.rank, entry.score)
  const { rank, competitionRank, score, tiedWith, user, movement } = entry

  return (
    <tr
      role="row"
      ref={row}
      className={styles.row}
      data-rank={rank}
      data-medal={competitionRank <= 3 ? competitionRank : undefined}
      data-user={user.username}
      data-score={score}
      data-you={isYou || undefined}
    >
      <td role="cell" className={styles.rank}>
        <span className={styles.numeral}>{rank}</span>
      </td>
      <th role="rowheader" scope="row" className={styles.player}>
        <Avatar user={user} />
        <bdi className={styles.name}>{user.username}</bdi>
        {isYou && <span className={styles.you}>you</span>}
        {tiedWith > 0 && <span className={styles.tied}>tied</span>}
      </th>
      <td role="cell" className={styles.moved}>
        {places !== 0 ? (
          <Arrow key={serial} places={places} className={styles.arrow} />
        ) : (
          movement != null && movement !== 0 && <Arrow places={movement} since={since} className={styles.since} />
        )}
      </td>
      <td role="cell" className={styles.score}>
        {gain !== 0 && (
          <span key={serial} className={styles.gain}>
            {changeText(format, gain)}
          </span>
        )}{' '}
        <span className={styles.points}>{scoreText(format, score)}</span>
      </td>
      <td role="presentation" aria-hidden="true" className={styles.decoration}>
        <span className={styles.bar} style={{ transform: `translateX(${(share - 1) * 100}%)` }} />
        {gain > 0 && <span key={serial} className={styles.flash} />}
      </td>
    </tr>
  )
}

/** The places won or lost, in the last seconds or `since` a day. */
function Arrow({ places, since, className }: { places: number; since?: string; className: string | undefined }) {
  return (
    <span className={className} data-way={places > 0 ? 'up' : 'down'} title={since}>
      <span aria-hidden="true">{places > 0 ? '▲' : '▼'}</span>
      <span className="visually-hidden">{places > 0 ? 'up ' : 'down '}</span>
      {Math.abs(places)}
      {since !== undefined && <span className="visually-hidden"> {since}</span>}
    </span>
  )
}
