//! The connector on real databases: outages, statements that do not fit, and hostile values.

mod doctor;
mod hostile;
mod outages;
mod presets;
mod sqlite;
mod support;
mod tls;
