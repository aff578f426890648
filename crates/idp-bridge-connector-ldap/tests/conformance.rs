//! The LDAP connector keeps the contract on OpenLDAP.

fn main() {}
