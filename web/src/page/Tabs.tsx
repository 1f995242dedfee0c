import { type KeyboardEvent, useRef } from 'react'
import styles from './Tabs.module.css'

export interface Tab<K extends string> {
  key: K
  label: string
}

interface Props<K extends string> {
  label: string
  tabs: readonly Tab<K>[]
  selected: K
  /** The id of the element that the tabs change. */
  controls: string
  onSelect: (key: K) => void
  look?: 'pills' | 'underlined'
}

const STEPS: Record<string, (at: number, count: number) => number> = {
  ArrowRight: (at, count) => (at + 1) % count,
  ArrowLeft: (at, count) => (at - 1 + count) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
}

/** Tabs as the ARIA practices have them: one stop for the Tab key, arrows within. */
export function Tabs<K extends string>({ label, tabs, selected, controls, onSelect, look = 'pills' }: Props<K>) {
  const list = useRef<HTMLDivElement>(null)

  const onKeyDown = (event: KeyboardEvent) => {
    const step = STEPS[event.key]
    const at = tabs.findIndex((tab) => tab.key === selected)
    const next = step === undefined ? undefined : tabs[step(at, tabs.length)]
    if (next === undefined) return
    event.preventDefault()
    onSelect(next.key)
    list.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(next.key)}"]`)?.focus()
  }

  return (
    <div
      className={`${styles.tabs} ${styles[look]}`}
      role="tablist"
      aria-label={label}
      ref={list}
      onKeyDown={onKeyDown}
    >
      {tabs.map((tab) => (
        <button
          key={tab.key}
          type="button"
          role="tab"
          className={styles.tab}
          data-key={tab.key}
          aria-selected={tab.key === selected}
          aria-controls={controls}
          tabIndex={tab.key === selected ? 0 : -1}
          onClick={() => onSelect(tab.key)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  )
}
