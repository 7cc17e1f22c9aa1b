//! People: users, passwords, sessions, personal tokens and what slows guessing.
