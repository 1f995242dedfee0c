import { useQuery } from '@apollo/client/react'
import { useEffect, useMemo, useState } from 'react'
import { PLAIN, readEnvironment } from '../api/environment'
import { useStore } from '../api/store'
import { ReadMeDocument } from '../generated/graphql'
import { SIZE } from '../board/Skeleton'
import { useFeed } from '../live/useFeed'
import { topView } from '../live/view'
import { PlayPanel } from '../play/PlayPanel'
import { Account } from '../session/Account'
import { SignIn } from '../session/SignIn'
import { You } from '../you/You'
import { Badge } from './Badge'
import { Header } from './Header'
import { useLines } from './clients'
import { Notice } from './Notice'
import styles from './Page.module.css'
import { usePlace } from '../routing/boardRoute'
import { Stage } from './BoardPanel'
import { fillScreen, useWall } from './useWall'

/** The live board and everything around it. */
export function Page() {
  const { session } = useLines()
  const identity = useStore(session.identity)
  const [place, go] = usePlace()
  const view = useMemo(() => topView(place.category, place.period, SIZE), [place.category, place.period])
  const { board, connection, retry } = useFeed(view)
  const [environment, setEnvironment] = useState(PLAIN)
  const [isSigningIn, setSigningIn] = useState(false)
  const { data } = useQuery(ReadMeDocument, { skip: identity.state !== 'signed-in' })
  const you = identity.state === 'signed-in' ? (data?.me.user ?? null) : null

  useEffect(() => void readEnvironment().then(setEnvironment), [])
  useWall(place.wall)

  const signIn = () => setSigningIn(true)
  const hasSide = !place.wall && (you !== null || environment.demo)
  return (
    <div className={styles.page} data-wall={place.wall || undefined}>
      <Header
        badge={<Badge connection={connection} board={board} onRetry={retry} />}
        account={<Account onSignIn={signIn} />}
        hasIde={environment.ide}
        isWall={place.wall}
        onWall={(wall) => {
          go({ wall })
          fillScreen(wall)
        }}
      />
      {identity.state === 'ended' && (
        <Notice tone="bad" action={{ label: 'Sign in again', onClick: signIn }}>
          The sign-in of {identity.username} {identity.hasExpired ? 'has expired' : 'is not accepted'}. You are still watching.
        </Notice>
      )}
      <main className={styles.main} data-side={hasSide || undefined}>
        <Stage
          place={place}
          onGo={go}
          board={board}
          connection={connection}
          onRetry={retry}
          youId={you?.id ?? null}
          canPlay={environment.demo && !place.wall}
        />
        {hasSide && (
          <aside className={styles.side} aria-label="You and your game">
            {you !== null && (
              <You key={`${you.id} ${place.category}`} userId={you.id} category={place.category} period={place.period} />
            )}
            {environment.demo && <PlayPanel category={place.category} />}
          </aside>
        )}
      </main>
      {isSigningIn && <SignIn hasDemo={environment.demo} onClose={() => setSigningIn(false)} />}
    </div>
  )
}
