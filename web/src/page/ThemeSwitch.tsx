import { useEffect, useState } from 'react'

type Theme = 'light' | 'dark'

const KEY = 'leaderboard.theme'
const DARK = matchMedia('(prefers-color-scheme: dark)')

const systemTheme = (): Theme => (DARK.matches ? 'dark' : 'light')

/** Light or dark: the system's choice, until the visitor makes another one. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(() => (localStorage.getItem(KEY) as Theme | null) ?? systemTheme())

  useEffect(() => {
    document.documentElement.dataset.theme = theme
    if (theme === systemTheme()) localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, theme)
  }, [theme])

  useEffect(() => {
    const follow = () => setTheme(systemTheme())
    DARK.addEventListener('change', follow)
    return () => DARK.removeEventListener('change', follow)
  }, [])

  const other = theme === 'dark' ? 'light' : 'dark'
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={`Use ${other} colours`}
      title={`Use ${other} colours`}
      onClick={() => setTheme(other)}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        {theme === 'dark' ? (
          <path d="M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10ZM12 1v2M12 21v2M1 12h2M21 12h2M4.2 4.2l1.4 1.4M18.4 18.4l1.4 1.4M4.2 19.8l1.4-1.4M18.4 5.6l1.4-1.4" />
        ) : (
          <path d="M20.5 14.5A8.5 8.5 0 0 1 9.5 3.5a8.5 8.5 0 1 0 11 11Z" />
        )}
      </svg>
    </button>
  )
}
