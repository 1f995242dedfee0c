import { ApolloProvider } from '@apollo/client/react'
import { createRoot } from 'react-dom/client'
import './page/base.css'
import { LinesProvider, openLines } from './page/clients'
import { Page } from './page/Page'

const lines = openLines()

createRoot(document.getElementById('root')!).render(
  <ApolloProvider client={lines.apollo}>
    <LinesProvider value={lines}>
      <Page />
    </LinesProvider>
  </ApolloProvider>,
)
