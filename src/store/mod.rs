//! SQLite: the only place with SQL, beside migrations/.
