//! The checks of `doctor`: the connection, and each statement with the rights that it needs.

use idp_bridge_core::{CallKind, CallScope, Finding, UserStore as _};

use crate::Sql;

/// Checks the connection and the statements. Runs no statement of the settings.
pub(crate) async fn run(sql: &Sql, scope: &CallScope) -> Vec<Finding> {
    let is_possible = |kind: &CallKind| sql.capabilities().call(*kind).is_possible();
    let all: Vec<CallKind> = CallKind::ALL.into_iter().filter(is_possible).collect();
    let check = "the database can be reached";
    let connected = sql.database.connect(scope).await;
    let mut findings = match &connected {
        Ok(server) => vec![Finding::ok(check, &all).with_detail(server.clone())],
        Err(error) => vec![Finding::failed_by(check, &all, error, "grant the user the right to connect".to_owned())],
    };
    for (statement, calls) in sql.checked_statements() {
        let check = format!("the statement `{}` fits the tables", statement.name);
        if connected.is_err() {
            findings.push(Finding::skipped(check, &calls));
            continue;
        }
        findings.push(match sql.database.check(scope, statement).await {
            Ok(()) => Finding::ok(check, &calls),
            Err(error) => {
                let right = if statement.is_read { "SELECT" } else { "the right to write" };
                let grant = match error.hint() {
                    Some(hint) => hint.to_owned(),
                    None => format!("grant the user of the bridge {right} on the tables of the statement"),
                };
                Finding::failed_by(check, &calls, &error, grant)
            }
        });
    }
    if let Some(mails) = &sql.mails {
        let calls: Vec<CallKind> = all.into_iter().filter(|kind| idp_bridge_mailer::CALLS.contains(kind)).collect();
        findings.extend(mails.diagnose(scope, &calls).await);
    }
    findings
}
