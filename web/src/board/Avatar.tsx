import { useState } from 'react'
import styles from './Avatar.module.css'

interface Props {
  user: { id: string; username: string; avatarUrl?: string | null }
}

/** The same for the same id, spread over the circle. */
function hueOf(id: string): number {
  let sum = 0
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 360
  return sum
}

const CHARACTERS = new Intl.Segmenter()

/** The first `count` characters as a reader counts them, so that an emoji is not cut. */
function firstOf(text: string, count: number): string {
  return [...CHARACTERS.segment(text)]
    .slice(0, count)
    .map(({ segment }) => segment)
    .join('')
}

function initialsOf(name: string): string {
  const words = name.split(/[\s._-]+/).filter(Boolean)
  const letters = words.length > 1 ? words.slice(0, 2).map((word) => firstOf(word, 1)) : [firstOf(name, 2)]
  return letters.join('').toUpperCase()
}

/** A picture, or initials where there is none or it does not load. The name stands beside it, so it says nothing. */
export function Avatar({ user }: Props) {
  const [isBroken, setBroken] = useState(false)
  if (user.avatarUrl == null || isBroken) {
    return (
      <span className={styles.avatar} style={{ '--hue': hueOf(user.id) }} aria-hidden="true">
        {initialsOf(user.username)}
      </span>
    )
  }
  return <img className={styles.avatar} src={user.avatarUrl} alt="" loading="lazy" onError={() => setBroken(true)} />
}
