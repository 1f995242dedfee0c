import { skipToken, useQuery } from '@apollo/client/react'
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
import { useClients } from './clients'
import { Notice } from './Notice'
import styles from './Page.module.css'
import { useBoardRoute } from '../routing/boardRoute'
import { BoardPanel } from './BoardPanel'
import { fillScreen, useWall } from './useWall'

/** The live board and everything around it. */
export function Page() {
  const { session } = useClients()
  const identity = useStore(session.identity)
  const [route, go] = useBoardRoute()
  const view = useMemo(() => topView(route.category, route.period, SIZE), [route.category, route.period])
  const { board, staleSince, connection, retry } = useFeed(view)
  const [environment, setEnvironment] = useState(PLAIN)
  const [isSigningIn, setSigningIn] = useState(false)
  const { data } = useQuery(ReadMeDocument, identity.state === 'signed-in' ? {} : skipToken)
  const you = identity.state === 'signed-in' ? (data?.me?.user ?? null) : null

  useEffect(() => void readEnvironment().then(setEnvironment), [])
  useWall(route.wall)

  const signIn = () => setSigningIn(true)
  const hasSide = !route.wall && (you !== null || environment.demo)
  return (
    <div className={styles.page} data-wall={route.wall || undefined}>
      <Header
        badge={<Badge connection={connection} board={board} staleSince={staleSince} onRetry={retry} />}
        account={<Account onSignIn={signIn} />}
        hasIde={environment.ide}
        isWall={route.wall}
        onWall={(wall) => {
          go({ wall })
          fillScreen(wall)
        }}
      />
      {identity.state === 'ended' && (
        <Notice tone="bad" action={{ label: 'Sign in again', onClick: signIn }}>
          The sign-in of {identity.username} {identity.hasExpired ? 'has expired' : 'is not accepted'}. You are still
          watching.
        </Notice>
      )}
      <main className={styles.main} data-side={hasSide || undefined}>
        <BoardPanel
          route={route}
          onGo={go}
          board={board}
          connection={connection}
          onRetry={retry}
          youId={you?.id ?? null}
          canPlay={environment.demo && !route.wall}
        />
        {hasSide && (
          <aside className={styles.side} aria-label="You and your game">
            {you !== null && (
              <You
                key={`${you.id} ${route.category}`}
                userId={you.id}
                category={route.category}
                period={route.period}
              />
            )}
            {environment.demo && <PlayPanel category={route.category} />}
          </aside>
        )}
      </main>
      {isSigningIn && <SignIn hasDemo={environment.demo} onClose={() => setSigningIn(false)} />}
    </div>
  )
}
