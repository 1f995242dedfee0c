import 'graphiql/setup-workers/vite'
import { explorerPlugin } from '@graphiql/plugin-explorer'
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql'
import { createRoot } from 'react-dom/client'
import 'graphiql/style.css'
import '@graphiql/plugin-explorer/style.css'
import './graphiql.css'
import { rootElement } from '../rootElement'
import { demoToken, readEnvironment } from '../api/environment'
import { demoName } from '../session/demoName'
import { EXAMPLES } from './examples'
import { fetcher } from './fetcher'

const PLUGINS = [HISTORY_PLUGIN, explorerPlugin()]

/** The headers to begin with: in development those of a demo player, so that mutations work at once. */
async function defaultHeaders(): Promise<string> {
  const { demo } = await readEnvironment()
  if (!demo) return '{}'
  const token = await demoToken(demoName()).catch(() => null)
  return token === null ? '{}' : JSON.stringify({ authorization: `Bearer ${token}` }, null, 2)
}

const headers = await defaultHeaders()

createRoot(rootElement()).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={PLUGINS}
    defaultTabs={EXAMPLES.map((example) => ({ ...example, headers }))}
    defaultHeaders={headers}
    defaultEditorToolsVisibility="headers"
    shouldPersistHeaders={false}
  >
    <GraphiQL.Logo>
      <a href="/" className="home">
        Leaderboard
      </a>
    </GraphiQL.Logo>
  </GraphiQL>,
)
