import { ApolloProvider } from '@apollo/client/react'
import { createRoot } from 'react-dom/client'
import { Board } from './Board'
import { createBoardClient } from './client'
import { tokens } from './tokens'

const { client } = createBoardClient(import.meta.env.VITE_SERVICE ?? 'http://127.0.0.1:8000', tokens)

createRoot(document.getElementById('root')!).render(
  <ApolloProvider client={client}>
    <Board category="global" period="ALL_TIME" />
  </ApolloProvider>,
)
