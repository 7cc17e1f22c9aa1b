//! What the routers share: paths, extractors, limits, headers, running operations off the reactor.
