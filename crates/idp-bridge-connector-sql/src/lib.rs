//! Users in a SQL database of the tenant: PostgreSQL or SQLite.
