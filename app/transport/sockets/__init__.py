"""GraphQL over WebSockets (graphql-transport-ws): endpoint, protocol, and operations of sockets."""
