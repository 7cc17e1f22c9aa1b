//! The store: typed tables over redb, transactions, the writer thread, files on disk.
