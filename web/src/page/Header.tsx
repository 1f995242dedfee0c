import type { ReactNode } from 'react'
import styles from './Header.module.css'
import { ThemeSwitch } from './ThemeSwitch'

interface Props {
  badge: ReactNode
  account: ReactNode
  hasIde: boolean
  isWall: boolean
  onWall: (wall: boolean) => void
}

/** The head of the page. */
export function Header({ badge, account, hasIde, isWall, onWall }: Props) {
  return (
    <header className={styles.header}>
      <a className={styles.brand} href="/">
        <svg viewBox="0 0 24 24" className={styles.mark} aria-hidden="true">
          <rect x="1" y="12" width="6.5" height="11" rx="1.5" />
          <rect x="8.75" y="3" width="6.5" height="20" rx="1.5" />
          <rect x="16.5" y="15.5" width="6.5" height="7.5" rx="1.5" />
        </svg>
        Leaderboard
      </a>
      <div className={styles.tools}>
        {badge}
        {hasIde && !isWall && (
          <a className={`button quiet ${styles.wide}`} href="/graphiql">
            GraphiQL
          </a>
        )}
        <button
          type="button"
          className={`icon-button ${isWall ? '' : styles.wide}`}
          aria-pressed={isWall}
          aria-label="Wall screen"
          title="Wall screen"
          onClick={() => onWall(!isWall)}
        >
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5" />
          </svg>
        </button>
        <ThemeSwitch />
        {!isWall && account}
      </div>
    </header>
  )
}
