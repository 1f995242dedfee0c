import { ApolloProvider } from '@apollo/client/react'
import { createRoot } from 'react-dom/client'
import { rootElement } from './rootElement'
import './page/base.css'
import { ClientsProvider, createClients } from './page/clients'
import { Page } from './page/Page'

const clients = createClients()

createRoot(rootElement()).render(
  <ApolloProvider client={clients.apollo}>
    <ClientsProvider value={clients}>
      <Page />
    </ClientsProvider>
  </ApolloProvider>,
)
