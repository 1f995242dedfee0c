import { Notice, ProblemText, Wait } from '../page/Notice'
import { changeText, type Format, scoreText } from '../format/score'
import type { Progress } from './playAction'
import styles from './Steps.module.css'

const NAMES = ['Ask for permission', 'Play', 'Hand it in', 'Points']
const REACHED: Record<Progress['step'], number> = {
  asking: 0,
  playing: 1,
  submitting: 2,
  paid: 4,
  refused: -1,
  failed: -1,
}

function rankText({ before, rank }: { before: number | null; rank: number | null }): string {
  if (rank === null) return ''
  if (before === null) return ` You enter at number ${rank}.`
  return before === rank ? ` You stay number ${rank}.` : ` From number ${before} to number ${rank}.`
}

/** How far the action that was played last has come. */
export function Steps({ progress, format }: { progress: Progress | null; format: Format }) {
  if (progress === null) return null
  if (progress.step === 'failed') {
    return (
      <Notice tone="bad">
        <ProblemText problem={progress.problem} at={progress.at} />
      </Notice>
    )
  }
  if (progress.step === 'refused') {
    return (
      <Notice tone="bad">
        {progress.message}{' '}
        {progress.until !== null && <Wait until={progress.until} before="Ready in" after="It is ready now." />}
      </Notice>
    )
  }
  const reached = REACHED[progress.step]
  return (
    <div className={styles.steps}>
      <ol>
        {NAMES.map((name, index) => (
          <li key={name} data-state={index < reached ? 'done' : index === reached ? 'now' : 'ahead'}>
            {name}
          </li>
        ))}
      </ol>
      {'token' in progress && (
        <p className={styles.token}>
          <code>{progress.token.slice(0, 24)}…</code> is worth {progress.worth} points, once
        </p>
      )}
      <p className={styles.outcome} role="status">
        {progress.step === 'paid' && (
          <>
            <strong>{changeText(format, progress.gain)}</strong> makes {scoreText(format, progress.score)} for all time.
            {rankText(progress)}
          </>
        )}
      </p>
    </div>
  )
}
