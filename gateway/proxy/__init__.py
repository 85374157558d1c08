"""The data plane: from the client's socket to the provider's and back.

`protocol` is one client connection, a protocol class handed to uvicorn; `asgi` is the same door for any other server.
`exchange` is one call, start to end: admit, plan, forward, relay, settle. `pool` holds the upstream connections,
`upstream` is one of them, `connect` makes them. `table` says where a model lives. `booking` turns a finished call into
its two journal frames. All of it is callbacks on transports: no task, future or queue per call or chunk; the only
tasks are new upstream connections and one sweep ten times a second that looks after every time limit.
"""
