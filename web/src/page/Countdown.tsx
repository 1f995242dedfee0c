import { useNow } from './clock'
import styles from './Countdown.module.css'
import { clockOf, durationOf } from '../format/time'

/** What is left of a window of the board. */
export function Countdown({ endsAt }: { endsAt: string }) {
  const left = Date.parse(endsAt) - useNow()
  return (
    <p className={styles.countdown}>
      <span className={styles.label}>{left > 0 ? 'Starts over in' : 'Starting over'}</span>
      <time className={styles.clock} dateTime={durationOf(left)} role="timer">
        {clockOf(left)}
      </time>
    </p>
  )
}
