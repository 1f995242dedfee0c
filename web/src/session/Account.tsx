import { useStore } from '../api/store'
import { useClients } from '../page/clients'
import styles from './Account.module.css'

/** Who is signed in, in the head of the page. */
export function Account({ onSignIn }: { onSignIn: () => void }) {
  const { session } = useClients()
  const identity = useStore(session.identity)
  if (identity.state !== 'signed-in') {
    return (
      <button type="button" className="button" onClick={onSignIn}>
        Sign in
      </button>
    )
  }
  return (
    <span className={styles.account}>
      <span className={styles.name}>{identity.username}</span>
      <button type="button" className="button quiet" onClick={() => session.signOut()}>
        Sign out
      </button>
    </span>
  )
}
