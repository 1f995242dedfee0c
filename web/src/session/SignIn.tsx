import { type SubmitEvent, useEffect, useId, useRef, useState } from 'react'
import { useClients } from '../page/clients'
import { demoName } from './demoName'
import styles from './SignIn.module.css'

interface Props {
  hasDemo: boolean
  onClose: () => void
}

/** Return the text of a field of a form, without white space around it. */
function fieldOf(form: HTMLFormElement, name: string): string {
  const value = new FormData(form).get(name)
  return typeof value === 'string' ? value.trim() : ''
}

/** Signing in: as a made-up player where that is offered, or with an access token. */
export function SignIn({ hasDemo, onClose }: Props) {
  const { session } = useClients()
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  const [fault, setFault] = useState<string | null>(null)

  useEffect(() => dialog.current?.showModal(), [])

  const asDemo = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const name = fieldOf(event.currentTarget, 'name')
    try {
      await session.signInAsDemo(name)
      onClose()
    } catch (error) {
      setFault(error instanceof Error ? error.message : 'No demo token to be had.')
    }
  }

  const withToken = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const token = fieldOf(event.currentTarget, 'token').replace(/^Bearer\s+/i, '')
    if (session.signIn(token)) onClose()
    else setFault(session.identity.get().state === 'ended' ? 'This token has expired.' : 'This is not an access token.')
  }

  return (
    <dialog ref={dialog} className={styles.dialog} aria-labelledby={heading} onClose={onClose}>
      <header className={styles.header}>
        <h2 id={heading}>Sign in</h2>
        <button type="button" className="icon-button" aria-label="Close" onClick={() => dialog.current?.close()}>
          ✕
        </button>
      </header>
      {hasDemo && (
        <form className={styles.form} onSubmit={(event) => void asDemo(event)}>
          <label className="field">
            <span>Play as a demo player</span>
            <input
              name="name"
              defaultValue={demoName()}
              required
              maxLength={50}
              autoComplete="off"
              spellCheck={false}
            />
          </label>
          <button type="submit" className="button primary">
            Sign in as demo player
          </button>
        </form>
      )}
      {hasDemo && <p className={styles.or}>or</p>}
      <form className={styles.form} onSubmit={withToken}>
        <label className="field">
          <span>Access token</span>
          <textarea name="token" rows={4} required autoComplete="off" spellCheck={false} placeholder="eyJhbGciOi…" />
        </label>
        <button type="submit" className="button">
          Sign in with token
        </button>
      </form>
      {fault !== null && (
        <p className={styles.fault} role="alert">
          {fault}
        </p>
      )}
    </dialog>
  )
}
