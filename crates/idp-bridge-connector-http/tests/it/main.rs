//! Tests of the definition language and of requests to a server of the test's own.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod requests;
