"""graphql-transport-ws: the endpoint, the protocol below it, and what a socket may do."""
