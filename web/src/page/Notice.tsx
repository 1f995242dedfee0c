import type { ReactNode } from 'react'
import type { Problem } from '../api/problem'
import { useNow } from './clock'
import styles from './Notice.module.css'
import { spanOf } from '../format/time'

interface Props {
  tone?: 'plain' | 'bad'
  children: ReactNode
  action?: { label: string; onClick: () => void } | undefined
}

/** Something a person should know, and what they can do about it. */
export function Notice({ tone = 'plain', children, action }: Props) {
  return (
    <div className={styles.notice} data-tone={tone} role={tone === 'bad' ? 'alert' : 'status'}>
      <p>{children}</p>
      {action !== undefined && (
        <button type="button" className="button" onClick={action.onClick}>
          {action.label}
        </button>
      )}
    </div>
  )
}

/** A sentence that counts down and then says that it is over. */
export function Wait({ until, before, after }: { until: number; before: string; after: string }) {
  const left = until - useNow()
  return left > 0 ? (
    <>
      {before} {spanOf(left)}.
    </>
  ) : (
    <>{after}</>
  )
}

/** A problem in words, for the person in front of the screen. `at` is when it occurred. */
export function ProblemText({ problem, at }: { problem: Problem; at: number }) {
  switch (problem.kind) {
    case 'network':
      return <>The service cannot be reached.</>
    case 'limited':
      return (
        <Wait until={at + problem.retryAfter * 1000} before="That was a bit fast. Go on in" after="You can go on." />
      )
    case 'signed-out':
      return problem.expired ? <>Your sign-in has expired.</> : <>You need to sign in.</>
    case 'displaced':
      return <>The board is open in too many windows. This one is paused.</>
    case 'unavailable':
      return (
        <Wait
          until={at + problem.retryAfter * 1000}
          before="The service is temporarily unavailable. Try again in"
          after="Try again now."
        />
      )
    case 'refused':
      return <>{problem.message}</>
    case 'fault':
      return <>Something went wrong on our side{problem.errorId === null ? '.' : ` (${problem.errorId}).`}</>
  }
}
