//! The connection actor: socket, limits, keepalive, reassembly, batching, reconnecting.
