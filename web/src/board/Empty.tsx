import styles from './Empty.module.css'

/** A board that nobody is on yet. */
export function Empty({ canPlay }: { canPlay: boolean }) {
  return (
    <div className={styles.empty}>
      <svg viewBox="0 0 120 72" className={styles.podium} aria-hidden="true">
        <rect x="4" y="38" width="34" height="34" rx="5" />
        <rect x="43" y="16" width="34" height="56" rx="5" />
        <rect x="82" y="48" width="34" height="24" rx="5" />
      </svg>
      <h2>The podium is free</h2>
      <p>
        {canPlay ? 'Nobody has scored here yet. Play an action and take first place.' : 'Nobody has scored here yet.'}
      </p>
    </div>
  )
}
