//! What the appliance does, for pages, API, command line and upkeep alike; synchronous.
