import { useState } from 'react'
import { spanOf } from '../format/time'
import type { Action } from './playAction'
import styles from './PlayPanel.module.css'

interface Props {
  action: Action
  isDisabled: boolean
  onPlay: (action: Action, difficulty: string | null) => void
}

function rulesOf(action: Action): string {
  const rules = []
  if (!action.repeatable) rules.push('once')
  if (action.dailyLimit != null) rules.push(action.dailyLimit === 1 ? 'once a day' : `${action.dailyLimit} a day`)
  if (action.cooldown > 0) rules.push(`rests ${spanOf(action.cooldown * 1000)}`)
  if (action.minDuration > 0) rules.push(`takes ${spanOf(action.minDuration * 1000)}`)
  return rules.join(' · ')
}

/** One action of the catalogue, ready to be played. */
export function ActionCard({ action, isDisabled, onPlay }: Props) {
  const [difficulty, setDifficulty] = useState<string | null>(action.difficulties[0]?.name ?? null)
  const points = action.difficulties.find((one) => one.name === difficulty)?.points ?? action.points ?? 0
  return (
    <li className={styles.action}>
      <div className={styles.what}>
        <span className={styles.title}>{action.name}</span>
        {action.difficulties.length > 0 ? (
          <select
            className={styles.difficulty}
            aria-label={`Difficulty of ${action.name}`}
            value={difficulty ?? ''}
            onChange={(event) => setDifficulty(event.target.value)}
          >
            {action.difficulties.map((one) => (
              <option key={one.name}>{one.name}</option>
            ))}
          </select>
        ) : (
          <span className={styles.rules}>{rulesOf(action) || action.description}</span>
        )}
      </div>
      <button
        type="button"
        className="button primary"
        disabled={isDisabled}
        aria-label={`Play ${action.name} for ${points} points`}
        onClick={() => onPlay(action, difficulty)}
      >
        +{points}
      </button>
    </li>
  )
}
